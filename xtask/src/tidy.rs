//! `tidy`: what compilers do not check.
//!
//! Each check gives a list of problems, `place: what is wrong`, and none of them can be switched
//! off but by the reason line of a long file.

mod crates;
mod edges;
mod files;

use anyhow::{Result, bail};

use crate::{results, workspace};

/// Runs all checks and fails if any of them found a problem.
pub(crate) fn run() -> Result<()> {
    let problems = problems()?;
    for problem in &problems {
        eprintln!("{problem}");
    }
    match problems.len() {
        0 => Ok(()),
        1 => bail!("tidy found 1 problem"),
        n => bail!("tidy found {n} problems"),
    }
}

/// All problems of this workspace.
fn problems() -> Result<Vec<String>> {
    let root = workspace::root();
    let metadata = workspace::output(workspace::cargo(), &["metadata", "--format-version", "1"])?;
    let metadata = edges::Metadata::parse(&metadata)?;
    let mut problems = edges::check(&metadata.graph());
    for package in metadata.members() {
        problems.extend(crates::check(package, &root)?);
    }
    problems.extend(files::check(&root)?);
    if let Err(error) = results::check() {
        problems.push(format!("{error:#}"));
    }
    Ok(problems)
}

#[cfg(test)]
mod tests {
    #[test]
    fn this_workspace_is_tidy() {
        let problems = super::problems().expect("tidy runs");
        assert!(problems.is_empty(), "\n{}\n", problems.join("\n"));
    }
}
