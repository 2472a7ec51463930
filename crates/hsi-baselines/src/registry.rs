//! The baselines by name, for command lines.

use crate::{Denoiser, Error, MedianFilter, Result};

/// Returns the names that [`by_name`] knows.
pub fn names() -> &'static [&'static str] {
    &[MedianFilter::NAME]
}

/// Builds a baseline from its name and, after a colon, its parameters.
///
/// `median` is the [`MedianFilter`] with its default window, `median:3x3x5` one of 3 rows, 3
/// columns and 5 bands.
///
/// # Errors
/// [`Error::UnknownBaseline`] lists the known names; [`Error::Parameters`] and [`Error::Window`]
/// for parameters that make no sense.
pub fn by_name(description: &str) -> Result<Box<dyn Denoiser>> {
    let (name, parameters) = match description.split_once(':') {
        Some((name, parameters)) => (name.trim(), Some(parameters)),
        None => (description.trim(), None),
    };
    if !name.eq_ignore_ascii_case(MedianFilter::NAME) {
        let known = names().iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        return Err(Error::UnknownBaseline { name: name.to_owned(), known });
    }
    Ok(Box::new(parameters.map_or_else(|| Ok(MedianFilter::default()), str::parse)?))
}
