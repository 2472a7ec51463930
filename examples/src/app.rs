//! From the command line to an exit code.

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::Parser;
use serde_json::Value;

/// Names of the published programs, and what they are called here.
const ALIASES: [(&str, &str); 3] =
    [("--data-path", "--data"), ("--weights-path", "--weights"), ("--head-type", "--head")];

/// Parses the command line, with the flags of a `--config` file before it, and runs a program.
///
/// Whatever the program cannot do becomes one sentence on standard error and exit code 2.
pub fn run<A: Parser>(program: impl FnOnce(A, Invocation) -> Result<()>) -> ExitCode {
    let args = match arguments(std::env::args_os().collect()) {
        Ok(args) => args,
        Err(error) => return failed(&error),
    };
    let invocation =
        Invocation { args: args.iter().map(|arg| arg.to_string_lossy().into_owned()).collect() };
    let parsed = match A::try_parse_from(args) {
        Ok(parsed) => parsed,
        Err(error) => error.exit(),
    };
    match program(parsed, invocation) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&error),
    }
}

/// The command line as it was understood, for `run.json`.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Invocation {
    /// Program and arguments, those of the configuration file included.
    pub args: Vec<String>,
}

fn failed(error: &anyhow::Error) -> ExitCode {
    // Causes that the outer sentence already quotes are not repeated.
    let mut sentence = String::new();
    for cause in error.chain() {
        let text = cause.to_string();
        if !sentence.contains(&text) {
            if !sentence.is_empty() {
                sentence.push_str(": ");
            }
            sentence.push_str(&text);
        }
    }
    eprintln!("error: {sentence}");
    ExitCode::from(2)
}

/// Spells flags with hyphens, replaces the published names, and puts the flags of `--config`
/// first, so that those of the command line win.
fn arguments(args: Vec<OsString>) -> Result<Vec<OsString>> {
    let mut args = args.into_iter();
    let program: Vec<OsString> = args.next().into_iter().collect();
    let given: Vec<OsString> = args.map(normalise).collect();
    let mut config = Vec::new();
    let mut at = 0;
    while at < given.len() {
        let text = given[at].to_string_lossy();
        let path = match text.strip_prefix("--config=") {
            Some(path) => Some(OsString::from(path)),
            None if text == "--config" => given.get(at + 1).cloned(),
            None => None,
        };
        if let Some(path) = path {
            config.extend(config_flags(Path::new(&path))?);
        }
        at += 1;
    }
    Ok(program.into_iter().chain(config).chain(given).collect())
}

fn normalise(arg: OsString) -> OsString {
    let Some(text) = arg.to_str().filter(|text| text.starts_with("--")) else {
        return arg;
    };
    let (name, value) = match text.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (text, None),
    };
    let name = name.replace('_', "-");
    let name = ALIASES.iter().find(|(alias, _)| *alias == name).map_or(name, |(_, n)| (*n).into());
    OsString::from(value.map_or(name.clone(), |value| format!("{name}={value}")))
}

/// Reads a YAML, TOML or JSON table of flags.
fn config_flags(path: &Path) -> Result<Vec<OsString>> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("cannot read the configuration `{}`", path.display()))?;
    let extension = path.extension().map(|e| e.to_string_lossy().to_lowercase());
    let problem = || format!("cannot understand the configuration `{}`", path.display());
    let value: Value = match extension.as_deref() {
        Some("json") => serde_json::from_str(&text).with_context(problem)?,
        Some("toml") => toml::from_str(&text).with_context(problem)?,
        Some("yaml" | "yml") => yaml_serde::from_str(&text).with_context(problem)?,
        _ => bail!("the configuration `{}` should end in .yaml, .toml or .json", path.display()),
    };
    let Value::Object(table) = value else {
        bail!("the configuration `{}` should be a table of flags", path.display());
    };
    let mut flags = Vec::new();
    for (name, value) in table {
        let flag = normalise(OsString::from(format!("--{name}")));
        let text = match value {
            Value::Bool(false) | Value::Null => continue,
            Value::Bool(true) => {
                flags.push(flag);
                continue;
            }
            Value::String(text) => text,
            Value::Number(number) => number.to_string(),
            Value::Array(items) => {
                let items = items.iter().map(|item| match item {
                    Value::String(text) => text.clone(),
                    other => other.to_string(),
                });
                items.collect::<Vec<_>>().join(",")
            }
            Value::Object(_) => {
                bail!("`{name}` in the configuration `{}` should be one value", path.display())
            }
        };
        let mut pair = flag;
        pair.push("=");
        pair.push(text);
        flags.push(pair);
    }
    Ok(flags)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn understood(args: &[&str]) -> Result<Vec<String>> {
        let args = arguments(args.iter().map(OsString::from).collect())?;
        Ok(args.iter().map(|arg| arg.to_string_lossy().into_owned()).collect())
    }

    #[test]
    fn published_names_are_understood() -> Result<()> {
        let args =
            understood(&["train", "--data_path", "a_b", "--head_type=unet", "--batch_size", "2"])?;
        assert_eq!(args, ["train", "--data", "a_b", "--head=unet", "--batch-size", "2"]);
        Ok(())
    }

    #[test]
    fn a_configuration_comes_before_the_command_line() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let texts = [
            ("c.yaml", "batch_size: 4\nnoise: paper\nempty-cache: true\nresume: false\n"),
            ("c.toml", "batch_size = 4\nnoise = \"paper\"\nempty-cache = true\n"),
            ("c.json", r#"{"batch_size": 4, "noise": "paper", "empty-cache": true}"#),
        ];
        for (name, text) in texts {
            let path = folder.path().join(name);
            std::fs::write(&path, text)?;
            let path = path.to_string_lossy();
            let args = understood(&["train", "--config", &path, "--batch-size=8"])?;
            let flags = &args[1..args.len() - 3];
            assert_eq!(flags.len(), 3, "{name}: {args:?}");
            assert!(flags.contains(&"--batch-size=4".to_owned()), "{name}: {args:?}");
            assert!(flags.contains(&"--empty-cache".to_owned()), "{name}: {args:?}");
            assert_eq!(args[args.len() - 1], "--batch-size=8");
        }
        assert!(understood(&["train", "--config", "missing.yaml"]).is_err());
        Ok(())
    }
}
