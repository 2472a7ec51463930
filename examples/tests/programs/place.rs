//! A folder to run programs in, and the cubes and models they are given.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use anyhow::{Context, Result, ensure};
use ndarray::Array3;
use tempfile::TempDir;

/// Scenes that are made and trained on in a moment.
pub(crate) const SCENES: &str = "--data synthetic:12 --bands 8 --image-size 16";
/// An encoder of 10 000 parameters.
pub(crate) const ENCODER: &str = "--dim 16 --depth 1 --heads 2 --mlp-dim 32";
/// A whole training that takes a tenth of a second.
pub(crate) const TRAIN: &str = "train --data synthetic:12 --bands 8 --image-size 16 --dim 16 \
    --depth 1 --heads 2 --mlp-dim 32 --head unet --head-width 8 --num-epochs 2 --batch-size 4 \
    --visualize-every 0 --method full";
/// The same for pretraining.
pub(crate) const PRETRAIN: &str = "pretrain --data synthetic:12 --bands 8 --image-size 16 \
    --dim 16 --depth 1 --heads 2 --mlp-dim 32 --num-epochs 2 --batch-size 4 --decoder-dim 16 \
    --decoder-depth 1 --decoder-heads 2";

/// A folder that is removed at the end.
pub(crate) struct Place(TempDir);

/// What a program said, and how it ended.
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Place {
    pub(crate) fn new() -> Result<Self> {
        Ok(Self(tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?))
    }

    /// A path in the folder.
    pub(crate) fn at(&self, path: impl AsRef<Path>) -> PathBuf {
        self.0.path().join(path)
    }

    /// A program and its arguments, separated by spaces, to be run in the folder.
    pub(crate) fn command(&self, line: &str) -> Result<Command> {
        let mut words = line.split_whitespace();
        let name = words.next().context("no program")?;
        let test = std::env::current_exe()?;
        let profile = test.ancestors().nth(2).context("no target folder")?;
        let program = profile.join("examples").join(name);
        ensure!(program.exists(), "`{}` is not built: cargo build --examples", program.display());
        let mut command = Command::new(program);
        command.args(words).current_dir(self.0.path());
        // The tensor library adds a backtrace to its messages: users should not see it.
        command.env("RUST_BACKTRACE", "1").stdin(Stdio::null());
        Ok(command)
    }

    pub(crate) fn run(&self, line: &str) -> Result<Said> {
        let Output { status, stdout, stderr } = self.command(line)?.output()?;
        let said = Said {
            code: status.code(),
            stdout: String::from_utf8(stdout)?,
            stderr: String::from_utf8(stderr)?,
        };
        // Not a terminal: no colours, no cursor movements, no bars.
        for text in [&said.stdout, &said.stderr] {
            ensure!(!text.contains(['\u{1b}', '\r']), "{line}\n{text}");
        }
        Ok(said)
    }

    /// Runs what should succeed.
    pub(crate) fn ok(&self, line: &str) -> Result<Said> {
        let said = self.run(line)?;
        ensure!(said.code == Some(0), "`{line}` ended with {:?}: {}", said.code, said.stderr);
        let notes = said.stderr.lines().all(|line| line.starts_with("note: "));
        ensure!(notes, "`{line}`: {}", said.stderr);
        Ok(said)
    }

    /// Runs what should be refused: exit code 2, one sentence that has all of `words`, and nothing
    /// left behind. Results are expected in `s` and `out.npy`.
    pub(crate) fn refused(&self, line: &str, words: &[&str]) -> Result<()> {
        let said = self.run(line)?;
        ensure!(said.code == Some(2), "`{line}` ended with {:?}: {}", said.code, said.stderr);
        let mut lines = said.stderr.lines().filter(|line| !line.starts_with("note: "));
        let error = lines.next().with_context(|| format!("`{line}` said nothing"))?;
        let rest: Vec<&str> = lines.collect();
        ensure!(rest.is_empty(), "`{line}` said more than a line: {}", said.stderr);
        ensure!(error.starts_with("error: "), "`{line}`: {error}");
        for word in words {
            ensure!(error.contains(word), "`{line}` does not name `{word}`: {error}");
        }
        let dump = [" { ", "Some(", "Err(", "\\\""].iter().any(|dump| error.contains(dump));
        ensure!(!dump, "`{line}` shows its inside: {error}");
        for left in ["out.npy", "out.json", "s/best", "s/last", "s/metrics.json"] {
            ensure!(!self.at(left).exists(), "`{line}` left `{left}`");
        }
        for entry in std::fs::read_dir(self.0.path())? {
            let left = entry?.path();
            let partial = left.extension().is_some_and(|end| end == "tmp" || end == "partial");
            ensure!(!partial, "`{line}` left `{}`", left.display());
        }
        Ok(())
    }

    pub(crate) fn json<T: serde::de::DeserializeOwned>(&self, path: &str) -> Result<T> {
        Ok(hsi_train::files::read_json(&self.at(path))?)
    }

    pub(crate) fn bytes(&self, path: impl AsRef<Path>) -> Result<Vec<u8>> {
        let path = self.at(path);
        std::fs::read(&path).with_context(|| path.display().to_string())
    }

    pub(crate) fn write(&self, path: &str, content: impl AsRef<[u8]>) -> Result<()> {
        let path = self.at(path);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        Ok(std::fs::write(path, content)?)
    }

    /// Writes an array as it is, whatever its type.
    pub(crate) fn write_npy<T: ndarray_npy::WritableElement + Clone>(
        &self,
        path: &str,
        array: &Array3<T>,
    ) -> Result<()> {
        self.write(path, [])?;
        Ok(ndarray_npy::write_npy(self.at(path), array)?)
    }

    /// Reads a cube back.
    pub(crate) fn cube(&self, path: &str) -> Result<hsi_data::Cube> {
        Ok(hsi_data::open(self.at(path), &hsi_data::OpenOptions::default())?)
    }

    /// Copies the files of a folder and those one level below.
    pub(crate) fn copy_run(&self, from: &str, to: &str) -> Result<()> {
        for entry in std::fs::read_dir(self.at(from))? {
            let name = entry?.file_name().to_string_lossy().into_owned();
            let (from, to) = (format!("{from}/{name}"), format!("{to}/{name}"));
            if self.at(&from).is_dir() {
                self.copy_run(&from, &to)?;
            } else {
                self.write(&to, self.bytes(&from)?)?;
            }
        }
        Ok(())
    }
}

/// A smooth cube with some texture, from 100 to about 4000.
pub(crate) fn smooth(bands: usize, rows: usize, cols: usize) -> Array3<f32> {
    Array3::from_shape_fn((bands, rows, cols), |(b, r, c)| {
        let wave = (0.3 * r as f32).sin() + (0.23 * c as f32).cos() + (0.4 * b as f32).sin();
        (2000.0 + 600.0 * wave + ((b * 31 + r * 17 + c * 13) % 29) as f32 * 3.0).round()
    })
}
