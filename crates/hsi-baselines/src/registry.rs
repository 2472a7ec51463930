//! The baselines by name, for command lines.

use crate::options::{self, Method};
use crate::{
    Auto, Chain, Denoiser, Destripe, Error, FastHyDe, FastHyIn, Forpdn, HyMiNoR, Hyres, L1HyMixDe,
    Limit, MedianFilter, Otvca, Result, Unclip, Wsrrr,
};

/// What [`by_name`] knows, in the order of tables.
const ENTRIES: &[Entry] = &[
    Entry::of::<Auto>(),
    Entry::of::<MedianFilter>(),
    Entry::of::<Hyres>(),
    Entry::of::<Forpdn>(),
    Entry::of::<Wsrrr>(),
    Entry::of::<Otvca>(),
    Entry::of::<FastHyDe>(),
    Entry::of::<FastHyIn>(),
    Entry::of::<HyMiNoR>(),
    Entry::of::<L1HyMixDe>(),
    Entry::of::<Destripe>(),
    Entry::of::<Unclip>(),
    Entry::of::<Limit>(),
];

/// A method that [`by_name`] builds.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    /// The name on a command line.
    pub name: &'static str,
    /// What it does, in a few words.
    pub about: &'static str,
    /// Whether it prepares a cube for a method instead of being one.
    pub is_stage: bool,
    form: fn() -> String,
    build: fn(Option<&str>) -> Result<Box<dyn Denoiser>>,
}

impl Entry {
    const fn of<M: Method>() -> Self {
        Self {
            name: M::NAME,
            about: M::ABOUT,
            is_stage: M::STAGE,
            form: options::form::<M>,
            build: options::build::<M>,
        }
    }

    /// Returns how it is written with all its options, each at its default.
    pub fn form(&self) -> String {
        (self.form)()
    }
}

/// Returns all methods and stages.
pub fn all() -> &'static [Entry] {
    ENTRIES
}

/// Returns the names of the methods; stages, which prepare a cube for a method, are left out.
pub fn names() -> Vec<&'static str> {
    ENTRIES.iter().filter(|entry| !entry.is_stage).map(|entry| entry.name).collect()
}

/// Builds a baseline from its description: a name, after a colon maybe options, `name:key=value,
/// key=value`, and maybe further stages after `+`.
///
/// `median` is the [`MedianFilter`] with its default window, `median:rows=3,bands=5` or, shorter,
/// `median:3x5x5` one with another. A chain runs from left to right. The baseline is called by its
/// description.
///
/// # Errors
/// [`Error::UnknownBaseline`] lists the known names; [`Error::Parameters`] the options of a method;
/// and what a method has to say about options out of their range.
pub fn by_name(description: &str) -> Result<Box<dyn Denoiser>> {
    let mut stages = split(description, '+', |rest| rest.starts_with(char::is_alphabetic))
        .into_iter()
        .map(stage)
        .collect::<Result<Vec<_>>>()?;
    let plain = !description.contains(['+', ':']);
    match stages.pop() {
        Some(stage) if stages.is_empty() && plain => Ok(stage),
        last => {
            stages.extend(last);
            let name: String = description.chars().filter(|c| !c.is_whitespace()).collect();
            Ok(Box::new(Chain::new(name.to_lowercase(), stages)))
        }
    }
}

/// Splits descriptions that are joined by commas, which also stand between the options of one.
///
/// # Examples
/// ```
/// let list = hsi_baselines::split_descriptions("median,median:rows=3,bands=5,median:3x3x5");
/// assert_eq!(list, ["median", "median:rows=3,bands=5", "median:3x3x5"]);
/// ```
pub fn split_descriptions(list: &str) -> Vec<&str> {
    // An option goes on where `=` comes before `:` or a further comma.
    split(list, ',', |rest| {
        rest.find(['=', ':', ',']).is_none_or(|place| !rest[place..].starts_with('='))
    })
}

/// Builds one stage.
fn stage(description: &str) -> Result<Box<dyn Denoiser>> {
    let (name, options) = match description.split_once(':') {
        Some((name, options)) => (name.trim(), Some(options)),
        None => (description.trim(), None),
    };
    let Some(entry) = ENTRIES.iter().find(|entry| entry.name.eq_ignore_ascii_case(name)) else {
        let known: Vec<String> = all().iter().map(|e| format!("`{}`", e.name)).collect();
        return Err(Error::UnknownBaseline { name: name.to_owned(), known: known.join(", ") });
    };
    (entry.build)(options)
}

/// Splits a text at those separators after which a new piece begins.
fn split(text: &str, separator: char, begins: impl Fn(&str) -> bool) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut start = 0;
    for (place, _) in text.match_indices(separator) {
        if begins(text[place + 1..].trim_start()) {
            pieces.push(&text[start..place]);
            start = place + 1;
        }
    }
    pieces.push(&text[start..]);
    pieces
}
