//! Configuration files, and the names that flags had in the published programs.

use std::ffi::OsString;
use std::path::Path;

use anyhow::{Context, Result, anyhow, bail};
use clap::Command;
use serde_json::Value;

/// Names of the published programs, and what they are called here.
const ALIASES: [(&str, &str); 7] = [
    ("--data-path", "--data"),
    ("--weights-path", "--weights"),
    ("--head-type", "--head"),
    ("--hr-msi-file", "--hr-msi"),
    ("--lr-hsi-file", "--lr-hsi"),
    ("--num-bands-msi-non-synthetic", "--num-msi-bands"),
    ("--sin-hidden-size", "--hidden-size"),
];

/// Spells flags with hyphens, replaces the published names, and puts the flags of `--config`
/// first, so that those of the command line win.
///
/// # Errors
/// When a configuration cannot be read, or holds what is not a flag of the program.
pub fn arguments(args: Vec<OsString>, command: &Command) -> Result<Vec<OsString>> {
    let mut args = args.into_iter();
    let program: Vec<OsString> = args.next().into_iter().collect();
    let mut flags_end = false;
    let given: Vec<OsString> = args
        .map(|arg| {
            flags_end |= arg == "--";
            if flags_end { arg } else { normalise(arg) }
        })
        .collect();
    let mut config = Vec::new();
    for (at, arg) in given.iter().take_while(|arg| *arg != "--").enumerate() {
        let text = arg.to_string_lossy();
        let path = match text.strip_prefix("--config=") {
            Some(path) => Some(OsString::from(path)),
            None if text == "--config" => given.get(at + 1).cloned(),
            None => None,
        };
        if let Some(path) = path {
            config.extend(config_flags(Path::new(&path), command)?);
        }
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
fn config_flags(path: &Path, command: &Command) -> Result<Vec<OsString>> {
    let shown = path.display();
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("cannot read the configuration `{shown}`"))?;
    let extension = path.extension().map(|e| e.to_string_lossy().to_lowercase());
    let problem = || format!("cannot understand the configuration `{shown}`");
    let value: Value = match extension.as_deref() {
        Some("json") => serde_json::from_str(&text).with_context(problem)?,
        Some("toml") => toml::from_str(&text)
            .map_err(|error| toml_error(&text, &error))
            .with_context(problem)?,
        Some("yaml" | "yml") => yaml_serde::from_str(&text).with_context(problem)?,
        _ => bail!("the configuration `{shown}` should end in .yaml, .toml or .json"),
    };
    let table = match value {
        Value::Object(table) => table,
        // A file without any line, or with comments only.
        Value::Null => return Ok(Vec::new()),
        _ => bail!("the configuration `{shown}` should be a table of flags"),
    };
    let mut flags = Vec::new();
    for (name, value) in table {
        let flag = normalise(OsString::from(format!("--{name}")));
        let long = flag.to_string_lossy().trim_start_matches('-').to_owned();
        if long == "config" {
            bail!("`{name}` cannot stand in the configuration `{shown}`: name one file only");
        }
        let known = command.get_arguments().find(|arg| arg.get_long() == Some(long.as_str()));
        let Some(known) = known else {
            let program = command.get_name();
            bail!("`{name}` in the configuration `{shown}` is not a flag of `{program}`");
        };
        let text = match value {
            Value::Bool(value) if known.get_action().takes_values() => value.to_string(),
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
                bail!("`{name}` in the configuration `{shown}` should be one value")
            }
        };
        let mut pair = flag;
        pair.push("=");
        pair.push(text);
        flags.push(pair);
    }
    Ok(flags)
}

/// The message and its line, without the excerpt that takes four lines.
fn toml_error(text: &str, error: &toml::de::Error) -> anyhow::Error {
    let start = error.span().map_or(0, |span| span.start).min(text.len());
    let line = 1 + text.bytes().take(start).filter(|&byte| byte == b'\n').count();
    anyhow!("{} in line {line}", error.message())
}

#[cfg(test)]
mod tests {
    use clap::{Arg, ArgAction};

    use super::*;

    fn understood(args: &[&str]) -> Result<Vec<String>> {
        let mut command = Command::new("train");
        for name in ["data", "head", "batch-size", "noise", "config"] {
            command = command.arg(Arg::new(name).long(name));
        }
        let flag = Arg::new("empty-cache").long("empty-cache").action(ArgAction::SetTrue);
        let args = arguments(args.iter().map(OsString::from).collect(), &command.arg(flag))?;
        Ok(args.iter().map(|arg| arg.to_string_lossy().into_owned()).collect())
    }

    #[test]
    fn published_names_are_understood() -> Result<()> {
        let args =
            understood(&["train", "--data_path", "a_b", "--head_type=unet", "--batch_size", "2"])?;
        assert_eq!(args, ["train", "--data", "a_b", "--head=unet", "--batch-size", "2"]);
        let args = understood(&["denoise", "--", "--a_b", "--config"])?;
        assert_eq!(args, ["denoise", "--", "--a_b", "--config"], "names of files stay as they are");
        Ok(())
    }

    #[test]
    fn a_configuration_comes_before_the_command_line() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let texts = [
            ("c.yaml", "batch_size: 4\nnoise: paper\nempty-cache: true\ndata: null\n"),
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

    #[test]
    fn what_is_not_a_flag_is_refused() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("c.yaml");
        for text in ["batchsize: 4", "bogus: false", "config: d.yaml", "- 4", "noise: {a: 1}"] {
            std::fs::write(&path, text)?;
            let result = understood(&["train", "--config", &path.to_string_lossy()]);
            assert!(result.is_err(), "{text}: {result:?}");
        }
        Ok(())
    }
}
