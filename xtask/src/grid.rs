//! `grid`: `train` for every rank and head, and one table of the results.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::workspace::{self, Usage};

/// What the command line asks for.
#[derive(Debug, PartialEq)]
struct Options {
    ranks: Vec<usize>,
    heads: Vec<String>,
    folder: PathBuf,
    train: Vec<String>,
}

impl Options {
    fn parse(words: &[&str]) -> Result<Self, Usage> {
        let mut options = Self {
            ranks: vec![4, 8, 16],
            heads: ["fc", "conv", "residual", "unet"].map(str::to_owned).to_vec(),
            folder: PathBuf::from("runs/grid"),
            train: Vec::new(),
        };
        let mut words = words.iter();
        while let Some(&word) = words.next() {
            if word == "--" {
                options.train = words.by_ref().map(|&word| word.to_owned()).collect();
                break;
            }
            let Some(&value) = words.next() else {
                return Err(Usage(format!("`{word}` takes a value")));
            };
            match word {
                "--ranks" => {
                    let ranks = value.split(',').map(|rank| rank.trim().parse().ok());
                    let ranks: Option<Vec<usize>> = ranks.collect();
                    options.ranks = ranks.filter(|all| all.iter().all(|&rank| rank > 0)).ok_or(
                        Usage(format!("`--ranks` takes numbers of at least 1, got `{value}`")),
                    )?;
                }
                "--heads" => {
                    options.heads = value.split(',').map(|head| head.trim().to_owned()).collect();
                }
                "--save-dir" => options.folder = PathBuf::from(value),
                other => return Err(Usage(format!("no option `{other}` of `grid`"))),
            }
        }
        if options.train.is_empty() {
            return Err(Usage("`grid` takes the flags of `train` after `--`".to_owned()));
        }
        Ok(options)
    }

    /// The command line of one run.
    fn command(&self, rank: usize, head: &str) -> Vec<String> {
        let mut all: Vec<String> =
            ["run", "--release", "-q", "--example", "train", "--"].map(str::to_owned).to_vec();
        all.extend(self.train.iter().cloned());
        let own = [
            ("--lora-r", rank.to_string()),
            ("--head", head.to_owned()),
            ("--save-dir", self.run_folder(rank, head).display().to_string()),
        ];
        all.extend(own.into_iter().flat_map(|(flag, value)| [flag.to_owned(), value]));
        all
    }

    fn run_folder(&self, rank: usize, head: &str) -> PathBuf {
        self.folder.join(format!("r{rank}-{head}"))
    }
}

/// Trains every combination, one after the other, and prints their scores.
pub(crate) fn run(words: &[&str]) -> Result<()> {
    let options = Options::parse(words)?;
    let mut lines = vec![
        "| rank | head | PSNR dB | SSIM | SAM deg | trained | training s |".to_owned(),
        "| ---: | --- | ---: | ---: | ---: | ---: | ---: |".to_owned(),
    ];
    for &rank in &options.ranks {
        for head in &options.heads {
            let words = options.command(rank, head);
            eprintln!("rank {rank}, head {head}");
            let status = Command::new("cargo")
                .args(&words)
                .current_dir(workspace::root())
                .status()
                .context("cannot start cargo")?;
            if !status.success() {
                bail!("training with rank {rank} and head {head} failed");
            }
            let folder = workspace::root().join(options.run_folder(rank, head));
            lines.push(line(rank, head, &folder)?);
        }
    }
    let table = lines.join("\n") + "\n";
    let path = workspace::root().join(&options.folder).join("grid.md");
    std::fs::write(&path, &table).with_context(|| format!("cannot write `{}`", path.display()))?;
    write!(std::io::stdout(), "{table}")?;
    Ok(())
}

/// The line of a run: the last row of its report is that of the model.
fn line(rank: usize, head: &str, folder: &Path) -> Result<String> {
    let path = folder.join("metrics.json");
    let text = std::fs::read_to_string(&path)
        .with_context(|| format!("cannot read `{}`", path.display()))?;
    let report: Value = serde_json::from_str(&text)?;
    let row = report["rows"].as_array().and_then(|rows| rows.last()).cloned().unwrap_or_default();
    let number = |key: &str, digits: usize| match row[key].as_f64() {
        Some(value) => format!("{value:.digits$}"),
        None => String::new(),
    };
    Ok(format!(
        "| {rank} | {head} | {} | {} | {} | {} | {} |",
        number("psnr_db", 2),
        number("ssim", 4),
        number("sam_deg", 2),
        number("trainable_parameters", 0),
        number("train_seconds", 1)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_run_has_a_folder_of_its_own() {
        let words = ["--ranks", "4,16", "--heads", "fc", "--", "--method", "lora", "--data", "x"];
        let options = Options::parse(&words).expect("valid");
        assert_eq!((options.ranks.as_slice(), options.heads.len()), (&[4, 16][..], 1));
        let command = options.command(16, "fc").join(" ");
        assert!(command.contains("--method lora --data x --lora-r 16 --head fc"), "{command}");
        assert!(command.ends_with("--save-dir runs/grid/r16-fc"), "{command}");
    }

    #[test]
    fn mistakes_are_told() {
        for words in [&["--ranks", "0", "--", "x"][..], &["--bogus", "1"], &["--ranks"], &[]] {
            assert!(Options::parse(words).is_err(), "{words:?}");
        }
    }
}
