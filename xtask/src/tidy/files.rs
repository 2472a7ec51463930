//! What every file keeps to.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

/// Folders of the root that are not looked into: what is built, what runs leave behind, data.
const SKIPPED: [&str; 3] = ["target", "runs", "shared"];

/// Text files, in which spaces at the end of a line are looked for.
const TEXT: [&str; 7] = ["rs", "md", "toml", "py", "json", "yml", "sh"];

/// Most lines of a Rust file without a reason line.
const LONG: usize = 500;

/// Start of the line that gives the reason why a file is longer.
const REASON: &str = "// long file: ";

/// Largest file of golden data, in bytes.
const GOLDEN_BYTES: u64 = 100_000;

/// What must not stand in Rust code. Written in two parts here, because this is Rust code.
const FORBIDDEN: [&str; 6] = [
    concat!("todo", "!"),
    concat!("unimplemented", "!"),
    concat!("dbg", "!("),
    concat!("#[", "ignore"),
    concat!("```", "ignore"),
    concat!("```rust,", "ignore"),
];

/// Words that need an owner: `WORD(name)`.
const OWNED: [&str; 3] = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")];

/// Checks all files below `root`.
pub(crate) fn check(root: &Path) -> Result<Vec<String>> {
    let mut paths = Vec::new();
    collect(root, &SKIPPED, &mut paths)?;
    paths.sort();
    let mut problems = Vec::new();
    for path in &paths {
        let place = path.strip_prefix(root).unwrap_or(path).display();
        let extension = path.extension().and_then(|e| e.to_str()).unwrap_or_default();
        let mut found = Vec::new();
        if TEXT.contains(&extension) {
            let text =
                fs::read_to_string(path).with_context(|| format!("cannot read `{place}`"))?;
            found.extend(check_spaces(&text));
            if extension == "rs" {
                found.extend(check_rust(&text));
            }
        }
        if let Some(data) = golden_root(path) {
            let bytes = fs::metadata(path)?.len();
            if bytes > GOLDEN_BYTES {
                found.push(format!("{bytes} bytes of golden data, at most {GOLDEN_BYTES} allowed"));
            }
            if extension != "py" && !has_script(path, data, &paths) {
                found.push("golden data without the script that made it beside it".to_owned());
            }
        }
        problems.extend(found.into_iter().map(|problem| format!("{place}: {problem}")));
    }
    Ok(problems)
}

/// All files below `folder`, those in hidden and `skipped` folders excepted.
fn collect(folder: &Path, skipped: &[&str], paths: &mut Vec<PathBuf>) -> Result<()> {
    let entries =
        fs::read_dir(folder).with_context(|| format!("cannot list `{}`", folder.display()))?;
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with('.') || name == "__pycache__" || skipped.contains(&&*name) {
            continue;
        }
        let kind = entry.file_type()?;
        if kind.is_dir() {
            collect(&entry.path(), &[], paths)?;
        } else if kind.is_file() {
            paths.push(entry.path());
        }
    }
    Ok(())
}

/// Lines that end in white space.
fn check_spaces(text: &str) -> Vec<String> {
    let lines = text.lines().enumerate();
    lines
        .filter(|(_, line)| line.ends_with([' ', '\t']))
        .map(|(i, _)| format!("line {} ends in white space", i + 1))
        .collect()
}

/// What is wrong with a Rust file.
fn check_rust(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let first = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    if !(first.starts_with("//!") || first.starts_with("#![doc")) {
        found.push("should start with `//!` docs".to_owned());
    }
    let lines = text.lines().count();
    let has_reason = text
        .lines()
        .any(|line| line.strip_prefix(REASON).is_some_and(|reason| reason.trim().len() > 10));
    if lines > LONG && !has_reason {
        found.push(format!("has {lines} lines: split it, or say why in a line `{REASON}...`"));
    }
    for (i, line) in text.lines().enumerate() {
        for pattern in FORBIDDEN {
            if line.contains(pattern) {
                found.push(format!("line {} has `{pattern}`", i + 1));
            }
        }
        for word in OWNED {
            if has_without_owner(line, word) {
                found.push(format!("line {} has `{word}` without its owner in `()`", i + 1));
            }
        }
    }
    found
}

/// Whether `word` stands in `line` as a word of its own that `(name)` does not follow.
fn has_without_owner(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = &line[at + word.len()..];
        let inside_a_word = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
        if inside_a_word(before) || inside_a_word(after.chars().next()) {
            return false;
        }
        let owner = after.strip_prefix('(').and_then(|rest| rest.split_once(')'));
        owner.is_none_or(|(name, _)| name.trim().is_empty())
    })
}

/// The folder `tests/data` that `path` lies in.
fn golden_root(path: &Path) -> Option<&Path> {
    path.ancestors().find(|folder| folder.ends_with("tests/data"))
}

/// Whether a Python script lies beside `path`, or above it up to `data`.
fn has_script(path: &Path, data: &Path, paths: &[PathBuf]) -> bool {
    path.ancestors().skip(1).take_while(|folder| folder.starts_with(data)).any(|folder| {
        paths.iter().any(|p| p.parent() == Some(folder) && p.extension().is_some_and(|e| e == "py"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proper_file_passes() {
        let owned = format!("//! Docs.\n\n// {}(ada): later.\nfn f() {{}}\n", OWNED[0]);
        assert_eq!(check_rust(&owned), Vec::<String>::new());
        let long =
            format!("//! Docs.\n{REASON}a table that is one thing\n{}", "// x\n".repeat(600));
        assert_eq!(check_rust(&long), Vec::<String>::new());
        assert_eq!(check_rust("#![doc = include_str!(\"../README.md\")]\n"), Vec::<String>::new());
        assert_eq!(check_spaces("a\n\nb\n"), Vec::<String>::new());
    }

    #[test]
    fn each_fault_is_found_once() {
        for pattern in FORBIDDEN {
            let text = format!("//! Docs.\n{pattern}\n");
            assert_eq!(check_rust(&text), [format!("line 2 has `{pattern}`")]);
        }
        for word in OWNED {
            for line in [format!("// {word}: x"), format!("// {word}() x"), format!("({word})")] {
                assert_eq!(check_rust(&format!("//! Docs.\n{line}\n")).len(), 1, "{line}");
            }
            let inside = format!("//! Docs.\nconst MY_{word}_S: u8 = 0; // A{word}B\n");
            assert_eq!(check_rust(&inside), Vec::<String>::new());
        }
        assert_eq!(check_rust("use a::b;\n"), ["should start with `//!` docs"]);
        assert_eq!(check_rust("").len(), 1);
        assert_eq!(check_rust(&"//! Docs.\n".repeat(501)).len(), 1);
        let no_reason = format!("//! Docs.\n{REASON}\n{}", "// x\n".repeat(600));
        assert_eq!(check_rust(&no_reason).len(), 1);
        assert_eq!(check_spaces("a \nb\nc\t\n").len(), 2);
    }

    #[test]
    fn golden_data_needs_a_script() {
        let path = |p: &str| PathBuf::from("/w/crates/a/tests/data").join(p);
        let paths = [path("x/a.npy"), path("y/b.npy"), path("x/make.py"), path("c.json")];
        let has = |p: &str| {
            let p = path(p);
            has_script(&p, golden_root(&p).expect("in tests/data"), &paths)
        };
        assert!(has("x/a.npy") && has("x/deep/d.npy"));
        assert!(!has("y/b.npy") && !has("c.json"));
        assert_eq!(golden_root(Path::new("/w/crates/a/src/data.rs")), None);
    }
}
