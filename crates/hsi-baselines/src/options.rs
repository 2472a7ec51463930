//! Parameters of the methods as text: `key=value,...`.

use std::str::FromStr;

use crate::{Denoiser, Error, Result, Variant};

/// A method that the registry builds from its name and options.
pub(crate) trait Method: Denoiser + Default + 'static {
    /// The name on a command line.
    const NAME: &'static str;
    /// What it does, in a few words.
    const ABOUT: &'static str;
    /// Whether it prepares a cube for a method instead of being one.
    const STAGE: bool = false;

    /// Returns every parameter with its key.
    fn settings(&mut self) -> Vec<(&'static str, &mut dyn Setting)>;

    /// Checks the ranges of all parameters.
    fn check(&self) -> Result<()>;

    /// Reads options that are not written `key=value`; returns whether they make sense.
    fn read_bare(&mut self, _text: &str) -> Result<bool> {
        Ok(false)
    }
}

/// A parameter that can be read from text and shown.
pub(crate) trait Setting {
    /// Sets the parameter; returns false, and leaves it, if the text makes no sense.
    fn read(&mut self, text: &str) -> bool;
    /// Writes the parameter as [`Self::read`] takes it.
    fn show(&self) -> String;
}

macro_rules! plain_settings {
    ($($kind:ty),*) => {$(
        impl Setting for $kind {
            fn read(&mut self, text: &str) -> bool {
                text.parse().map(|value| *self = value).is_ok()
            }

            fn show(&self) -> String {
                self.to_string()
            }
        }
    )*};
}
plain_settings!(usize, f32, f64, bool);

impl Setting for Variant {
    fn read(&mut self, text: &str) -> bool {
        let found = [Self::Corrected, Self::Hyde].into_iter().find(|v| v.to_string() == text);
        found.map(|variant| *self = variant).is_some()
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

/// Returns how the method is written, all parameters at their default.
pub(crate) fn form<M: Method>() -> String {
    let mut method = M::default();
    let settings: Vec<String> = method
        .settings()
        .into_iter()
        .map(|(key, value)| format!("{key}={}", value.show()))
        .collect();
    match settings.join(",") {
        settings if settings.is_empty() => M::NAME.to_owned(),
        settings => format!("{}[:{settings}]", M::NAME),
    }
}

/// Builds a method from its options, if any.
pub(crate) fn build<M: Method>(options: Option<&str>) -> Result<Box<dyn Denoiser>> {
    let mut method = M::default();
    if let Some(text) = options {
        let wrong =
            || Error::Parameters { baseline: M::NAME, form: form::<M>(), got: text.to_owned() };
        if text.contains('=') {
            let mut seen: Vec<&str> = Vec::new();
            for pair in text.split(',') {
                let (key, value) = pair.split_once('=').ok_or_else(wrong)?;
                let (key, value) = (key.trim(), value.trim());
                let mut settings = method.settings();
                let found = settings.iter_mut().find(|(name, _)| *name == key).ok_or_else(wrong)?;
                if seen.contains(&key) || !found.1.read(value) {
                    return Err(wrong());
                }
                seen.push(key);
            }
        } else if !method.read_bare(text)? {
            return Err(wrong());
        }
    }
    method.check()?;
    Ok(Box::new(method))
}

/// Checks that a whole number lies in a range.
pub(crate) fn between(
    method: &'static str,
    parameter: &'static str,
    got: usize,
    least: usize,
    most: usize,
) -> Result<()> {
    if (least..=most).contains(&got) {
        return Ok(());
    }
    let expected = format!("between {least} and {most}");
    Err(Error::Range { method, parameter, expected, got: got.to_string() })
}

/// Checks that a number is finite and lies in a range.
pub(crate) fn within(
    method: &'static str,
    parameter: &'static str,
    got: f64,
    least: f64,
    most: f64,
) -> Result<()> {
    if (least..=most).contains(&got) {
        return Ok(());
    }
    let expected = format!("between {least} and {most}");
    Err(Error::Range { method, parameter, expected, got: got.to_string() })
}

impl<T: FromStr + ToString> Setting for Option<T> {
    fn read(&mut self, text: &str) -> bool {
        if text == "auto" {
            *self = None;
            return true;
        }
        text.parse().map(|value| *self = Some(value)).is_ok()
    }

    fn show(&self) -> String {
        self.as_ref().map_or("auto".to_owned(), ToString::to_string)
    }
}
