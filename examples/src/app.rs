//! From the command line to an exit code.

use std::process::ExitCode;

use anyhow::Result;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory, Parser};

use crate::config;
use crate::output::print_error;

/// Parses the command line, with the flags of a `--config` file before it, and runs a program.
///
/// Whatever the program cannot do becomes one sentence on standard error and exit code 2.
pub fn run<A: Parser + CommandFactory>(
    program: impl FnOnce(A, Invocation) -> Result<()>,
) -> ExitCode {
    calm_candle();
    grad_ops::keep_freed_memory();
    // `-1` is a value that a flag refuses with a reason, not the name of another flag.
    let mut command = A::command().mut_args(|arg| {
        let takes_value = !arg.is_positional() && arg.get_action().takes_values();
        if takes_value { arg.allow_negative_numbers(true) } else { arg }
    });
    let args = match config::arguments(std::env::args_os().collect(), &command) {
        Ok(args) => args,
        Err(error) => return failed(&sentence(&error)),
    };
    let invocation =
        Invocation { args: args.iter().map(|arg| arg.to_string_lossy().into_owned()).collect() };
    let matches = command.try_get_matches_from_mut(args);
    let parsed = match matches.and_then(|mut matches| A::from_arg_matches_mut(&mut matches)) {
        Ok(parsed) => parsed,
        Err(error) => match misused(&error) {
            Some(sentence) => return failed(&sentence),
            None => error.exit(),
        },
    };
    match program(parsed, invocation) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&sentence(&error)),
    }
}

/// Keeps candle from a thread pool of its own for element-wise work: its threads spin while they
/// wait, and take the cores from rayon, on which everything that matters here runs.
fn calm_candle() {
    const THREADS: &str = "CANDLE_NUM_THREADS";
    if std::env::var_os(THREADS).is_none() {
        // SAFETY: this is the first thing that a program does; it has no other thread yet.
        unsafe { std::env::set_var(THREADS, "1") };
    }
}

/// The command line as it was understood, for `run.json`.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Invocation {
    /// Program and arguments, those of the configuration file included.
    pub args: Vec<String>,
}

fn failed(sentence: &str) -> ExitCode {
    print_error(&format!("error: {sentence}"));
    ExitCode::from(2)
}

/// An error and its causes in one line; what another cause quotes is not said twice.
fn sentence(error: &anyhow::Error) -> String {
    let causes: Vec<String> = error.chain().map(|cause| one_line(&cause.to_string())).collect();
    let mut parts: Vec<&str> = Vec::new();
    for (i, cause) in causes.iter().enumerate() {
        let inner = causes[i + 1..].iter();
        let quoted =
            inner.filter(|inner| inner.as_str() != cause).any(|inner| inner.contains(cause));
        if !quoted && !parts.iter().any(|part| part.contains(cause.as_str())) {
            parts.push(cause);
        }
    }
    parts.join(": ")
}

/// A text without line breaks, and without the backtrace that the tensor library may add.
fn one_line(text: &str) -> String {
    let text = text.split("\n   0: ").next().unwrap_or_default();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What is wrong with the value of a flag, in one line; other errors of usage have a form of their
/// own.
fn misused(error: &clap::Error) -> Option<String> {
    let of_a_value = matches!(
        error.kind(),
        ErrorKind::InvalidValue
            | ErrorKind::ValueValidation
            | ErrorKind::TooManyValues
            | ErrorKind::TooFewValues
            | ErrorKind::WrongNumberOfValues
            | ErrorKind::NoEquals
            | ErrorKind::InvalidUtf8
            | ErrorKind::ArgumentConflict
    );
    if !of_a_value {
        return None;
    }
    let text = error.to_string();
    let first = text.split("\n\n").next().unwrap_or_default();
    let whole = one_line(first.strip_prefix("error: ").unwrap_or(first));
    // A reason that quotes the value does not need it twice, nor the flag if it names it.
    let context = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.as_str()),
        _ => None,
    };
    let reason = std::error::Error::source(error).map(|source| one_line(&source.to_string()));
    let (Some(reason), Some(flag), Some(value)) =
        (reason, context(ContextKind::InvalidArg), context(ContextKind::InvalidValue))
    else {
        return Some(whole);
    };
    let flag = flag.split_whitespace().next().unwrap_or(flag);
    let quotes = |word: &str| reason.contains(&format!("`{word}`"));
    Some(match (quotes(value), quotes(flag.trim_start_matches('-'))) {
        (true, true) => reason,
        (true, false) => format!("{flag}: {reason}"),
        _ => whole,
    })
}

#[cfg(test)]
mod tests {
    use anyhow::{Context, anyhow};

    use super::*;

    #[test]
    fn causes_are_said_once_and_in_one_line() {
        let error = anyhow!("`a.npy`: too short").context("`a.npy`").context("cannot go on");
        assert_eq!(sentence(&error), "cannot go on: `a.npy`: too short");
        let traced = anyhow!("bad\n  shape\n   0: candle_core::bt\n   1: main");
        assert_eq!(sentence(&traced), "bad shape");
        let twice: Result<()> = Err(anyhow!("same"));
        assert_eq!(twice.context("same").map_err(|e| sentence(&e)), Err("same".to_owned()));
    }
}
