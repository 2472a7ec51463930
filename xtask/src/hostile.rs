//! `hostile`: forged files of every format, read by a program of hsi-data with a limit on memory.

use std::io::Write as _;
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;

use crate::workspace::{self, Usage};

/// Cases of a format unless told otherwise.
const CASES: usize = 100_000;
/// The package and the program that reads the files. Its debug build checks for overflow.
const PROGRAM: [&str; 7] = ["run", "-q", "-p", "hsi-data", "--example", "hsi_data_hostile", "--"];

/// A folder in memory, on Linux.
const IN_MEMORY: &str = "/dev/shm";

/// What the command line asks for.
#[derive(Debug, PartialEq)]
struct Options {
    formats: Vec<String>,
    cases: usize,
}

impl Options {
    fn parse(words: &[&str]) -> Result<Self, Usage> {
        let mut options = Self { formats: Vec::new(), cases: CASES };
        let mut words = words.iter();
        while let Some(&word) = words.next() {
            match word {
                "--cases" => {
                    let value = words.next().and_then(|value| value.parse().ok());
                    options.cases = value.filter(|&cases| cases > 0).ok_or_else(|| {
                        Usage("`--cases` takes a number of at least 1".to_owned())
                    })?;
                }
                flag if flag.starts_with('-') => {
                    return Err(Usage(format!("`hostile` has no flag `{flag}`")));
                }
                format => options.formats.push(format.to_owned()),
            }
        }
        Ok(options)
    }
}

/// The formats that can be forged.
#[derive(Deserialize)]
struct Formats {
    formats: Vec<String>,
}

/// What came of the forged files of a format.
#[derive(Debug, Deserialize)]
struct Outcome {
    format: String,
    cases: usize,
    recognised: usize,
    past_header: usize,
    read: usize,
    panics: Vec<usize>,
    slowest_ms: f64,
    peak_bytes: usize,
    limit_bytes: usize,
}

impl Outcome {
    fn line(&self) -> String {
        let share = |count: usize| 100.0 * count as f64 / self.cases.max(1) as f64;
        let mib = |bytes: usize| bytes as f64 / f64::from(1 << 20);
        format!(
            "{:<8} {:>8} cases, {:5.1} % recognised, {:5.1} % past the header, {:5.1} % read, {} \
             panics, slowest {:.0} ms, peak {:.0} of {:.0} MiB",
            self.format,
            self.cases,
            share(self.recognised),
            share(self.past_header),
            share(self.read),
            self.panics.len(),
            self.slowest_ms,
            mib(self.peak_bytes),
            mib(self.limit_bytes),
        )
    }
}

/// Reads forged files of the formats that are named, or of all.
pub(crate) fn run(words: &[&str]) -> Result<()> {
    let options = Options::parse(words)?;
    let known = serde_json::from_str::<Formats>(&program(&["formats"])?)?.formats;
    if let Some(unknown) = options.formats.iter().find(|format| !known.contains(format)) {
        let known = known.join("`, `");
        return Err(Usage(format!("no format `{unknown}`, there are `{known}`")).into());
    }
    let formats = if options.formats.is_empty() { known } else { options.formats };
    let mut failed = Vec::new();
    for format in formats {
        let output = program(&[&format, &options.cases.to_string()])
            .with_context(|| format!("the run of `{format}` ended"))?;
        let outcome: Outcome = serde_json::from_str(&output)
            .with_context(|| format!("cannot read what the run of `{format}` printed"))?;
        writeln!(std::io::stdout(), "{}", outcome.line())?;
        if !outcome.panics.is_empty() {
            failed.push(format!("`{format}` in the cases {:?}", outcome.panics));
        }
    }
    if !failed.is_empty() {
        bail!("panics: {}", failed.join(", "));
    }
    Ok(())
}

/// Runs the program. A panic that it counts is a result; that it was ended is not.
fn program(args: &[&str]) -> Result<String> {
    let shown = format!("cargo {} {}", PROGRAM.join(" "), args.join(" "));
    let mut command = Command::new(workspace::cargo());
    command.args(PROGRAM).args(args).current_dir(workspace::root());
    // Hundreds of thousands of small files: in memory, where there is such a folder.
    if std::path::Path::new(IN_MEMORY).is_dir() {
        command.env("TMPDIR", IN_MEMORY);
    }
    let output = command.output().with_context(|| format!("cannot run `{shown}`"))?;
    let stdout = String::from_utf8(output.stdout)?;
    if !output.status.success() && stdout.trim().is_empty() {
        let stderr = String::from_utf8_lossy(&output.stderr);
        let last = stderr.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("no message");
        bail!("`{shown}` failed ({}): {}", output.status, last.trim());
    }
    Ok(stdout)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read() {
        let parse = |words: &[&str]| Options::parse(words).map_err(|error| error.to_string());
        let all = Options { formats: Vec::new(), cases: CASES };
        assert_eq!(parse(&[]), Ok(all));
        let some = Options { formats: vec!["npy".to_owned()], cases: 50 };
        assert_eq!(parse(&["npy", "--cases", "50"]), Ok(some));
        for words in [&["--cases"][..], &["--cases", "0"], &["--cases", "x"], &["--other"]] {
            assert!(parse(words).is_err(), "{words:?}");
        }
    }

    #[test]
    fn shares_are_stated() -> Result<()> {
        let text = r#"{"format":"npy","cases":200,"recognised":150,"past_header":100,"read":50,
            "panics":[],"slowest_ms":2.4,"peak_bytes":1048576,"limit_bytes":268435456}"#;
        let line = serde_json::from_str::<Outcome>(text)?.line();
        for part in ["200 cases", "75.0 % rec", "50.0 % past", "25.0 % read", "1 of 256 MiB"] {
            assert!(line.contains(part), "{line}");
        }
        Ok(())
    }
}
