//! `results`: renders `results/*.json` into `docs/results.md`, so that no figure is typed by hand.

mod figure;
mod quality;
mod render;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::bench::Record;
use crate::workspace;
use quality::Quality;

/// What one file of `results/` holds.
#[derive(Debug)]
enum Stored {
    Quality(Box<Quality>),
    Bench(Box<Record>),
}

impl Stored {
    /// A file with a key `bench` is a benchmark, another one is a `metrics.json`.
    fn parse(text: &str) -> Result<Self> {
        let value: Value = serde_json::from_str(text)?;
        if value.get("bench").is_some() {
            return Ok(Self::Bench(Box::new(serde_json::from_value(value)?)));
        }
        Ok(Self::Quality(Box::new(serde_json::from_value(value)?)))
    }
}

/// Writes `docs/results.md` and its figures.
pub(crate) fn write() -> Result<()> {
    for (path, text) in rendered(&workspace::root())? {
        let written = path.parent().map_or(Ok(()), fs::create_dir_all);
        written
            .and_then(|()| fs::write(&path, text))
            .with_context(|| format!("cannot write `{}`", path.display()))?;
    }
    Ok(())
}

/// Fails if `docs/results.md` or a figure is not what would be written.
pub(crate) fn check() -> Result<()> {
    for (path, text) in rendered(&workspace::root())? {
        if fs::read_to_string(&path).unwrap_or_default() != text {
            bail!("`{}` is not made of results/*.json: run `cargo xtask results`", path.display());
        }
    }
    Ok(())
}

/// The page of the files in `results/`, in the order of their names, and the figures of those that
/// ask for one: where each goes, and its text.
fn rendered(root: &Path) -> Result<Vec<(PathBuf, String)>> {
    let folder = root.join("results");
    let mut paths = Vec::new();
    if folder.is_dir() {
        for entry in fs::read_dir(&folder)? {
            paths.push(entry?.path());
        }
    }
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    paths.sort();
    let read = |path: PathBuf| {
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let stored = fs::read_to_string(&path).map_err(Into::into);
        let stored = stored.and_then(|text| Stored::parse(&text));
        Ok((name, stored.with_context(|| format!("cannot read `{}`", path.display()))?))
    };
    let stored: Vec<(String, Stored)> = paths.into_iter().map(read).collect::<Result<_>>()?;
    let docs = root.join("docs");
    let mut files = vec![(docs.join("results.md"), render::page(&stored))];
    for (name, stored) in &stored {
        if let Stored::Quality(quality) = stored
            && let Some(figure) = &quality.figure
        {
            files.push((docs.join(render::figure_path(name)), figure.svg(&quality.rows)));
        }
    }
    Ok(files)
}
