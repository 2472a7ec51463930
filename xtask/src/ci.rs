//! `ci`: everything that continuous integration runs, cheapest first.

use std::process::Command;
use std::time::Instant;

use anyhow::{Context as _, Result, bail};

use crate::{tidy, workspace};

/// One step: what is run.
enum Step {
    /// The tidy task, in this process.
    Tidy,
    /// A cargo command with additional environment variables.
    Cargo(&'static [&'static str], &'static [(&'static str, &'static str)]),
}

/// All steps, cheapest first. One target directory and one selection of features for all: what one
/// step builds, the next finds.
const STEPS: [(&str, Step); 5] = [
    ("format", Step::Cargo(&["fmt", "--all", "--check"], &[])),
    ("tidy", Step::Tidy),
    (
        "clippy",
        Step::Cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"], &[]),
    ),
    ("test", Step::Cargo(&["test", "--workspace"], &[])),
    ("doc", Step::Cargo(&["doc", "--workspace", "--no-deps"], &[("RUSTDOCFLAGS", "-D warnings")])),
];

/// Runs all steps and stops at the first that fails.
pub(crate) fn run() -> Result<()> {
    let start = Instant::now();
    for (number, (name, step)) in STEPS.iter().enumerate() {
        eprintln!("==> [{}/{}] {name}: {}", number + 1, STEPS.len(), step.shown());
        let step_start = Instant::now();
        step.run().with_context(|| format!("ci stopped at step `{name}`"))?;
        eprintln!("    {name} passed in {:.1} s", step_start.elapsed().as_secs_f64());
    }
    eprintln!("==> all {} steps passed in {:.1} s", STEPS.len(), start.elapsed().as_secs_f64());
    Ok(())
}

impl Step {
    /// The step as one would type it.
    fn shown(&self) -> String {
        match self {
            Self::Tidy => "cargo xtask tidy".to_owned(),
            Self::Cargo(args, env) => {
                let env = env.iter().map(|(key, value)| format!("{key}=\"{value}\" "));
                format!("{}cargo {}", env.collect::<String>(), args.join(" "))
            }
        }
    }

    fn run(&self) -> Result<()> {
        let Self::Cargo(args, env) = self else {
            return tidy::run();
        };
        let status = Command::new(workspace::cargo())
            .args(*args)
            .envs(env.iter().copied())
            .current_dir(workspace::root())
            .status()
            .context("cannot run cargo")?;
        if !status.success() {
            bail!("`{}` failed ({status})", self.shown());
        }
        Ok(())
    }
}
