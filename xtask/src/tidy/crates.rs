//! What belongs to every crate.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};

use super::edges::Package;

/// Most lines that the `lib.rs` of a library crate may have.
const LIB_LINES: usize = 80;

/// Checks one member of the workspace.
pub(crate) fn check(package: &Package, root: &Path) -> Result<Vec<String>> {
    let folder = package.folder();
    let manifest = folder.join("Cargo.toml");
    let manifest = fs::read_to_string(&manifest)
        .with_context(|| format!("cannot read `{}`", manifest.display()))?;
    let mut found = Vec::new();
    if !inherits_lints(&manifest) {
        found.push("Cargo.toml should say `[lints] workspace = true`".to_owned());
    }
    for (field, value) in [("description", &package.description), ("license", &package.license)] {
        if value.as_ref().is_none_or(|value| value.trim().is_empty()) {
            found.push(format!("Cargo.toml has no `{field}`"));
        }
    }
    if folder.starts_with(root.join("crates")) {
        found.extend(check_library(folder));
    }
    Ok(found.into_iter().map(|problem| format!("{}: {problem}", package.name)).collect())
}

/// Checks the files of a crate in `crates/`.
fn check_library(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    match fs::read_to_string(folder.join("README.md")) {
        Ok(text) if text.contains("```") => {}
        Ok(_) => found.push("README.md shows no usage".to_owned()),
        Err(_) => found.push("README.md is missing".to_owned()),
    }
    if !folder.join("src/error.rs").is_file() {
        found.push("src/error.rs is missing".to_owned());
    }
    match fs::read_to_string(folder.join("src/lib.rs")) {
        Ok(text) => found.extend(check_lib(&text)),
        Err(_) => found.push("src/lib.rs is missing".to_owned()),
    }
    found
}

/// Checks the text of a `lib.rs`.
fn check_lib(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let lines = text.lines().count();
    if lines > LIB_LINES {
        found.push(format!("src/lib.rs has {lines} lines, at most {LIB_LINES} are allowed"));
    }
    let readme = text.lines().any(|line| line == "#![doc = include_str!(\"../README.md\")]");
    let head = text.lines().filter(|line| line.starts_with("//!")).count();
    if !readme && head < 5 {
        found.push("src/lib.rs has no head docs (those of README.md, or five lines)".to_owned());
    }
    found
}

/// Whether a manifest takes the lints of the workspace.
fn inherits_lints(manifest: &str) -> bool {
    let mut section = "";
    manifest.lines().map(str::trim).any(|line| {
        if line.starts_with('[') {
            section = line;
        }
        section == "[lints]" && line == "workspace = true" || line == "lints.workspace = true"
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lints_are_inherited_or_not() {
        assert!(inherits_lints("[package]\nname = \"a\"\n\n[lints]\nworkspace = true\n"));
        assert!(!inherits_lints("[package]\nworkspace = true\n[lints]\n[dependencies]\n"));
        assert!(!inherits_lints("[lints.rust]\nworkspace = true\n"));
    }

    #[test]
    fn lib_is_short_and_has_a_head() {
        let readme = "#![doc = include_str!(\"../README.md\")]\n\nmod a;\n";
        assert_eq!(check_lib(readme), Vec::<String>::new());
        assert_eq!(check_lib("//! 1\n//! 2\n//! 3\n//! 4\n//! 5\n"), Vec::<String>::new());
        assert_eq!(check_lib("//! One line.\nmod a;\n").len(), 1);
        let long = format!("{readme}{}", "mod b;\n".repeat(78));
        assert_eq!(check_lib(&long), ["src/lib.rs has 81 lines, at most 80 are allowed"]);
    }
}
