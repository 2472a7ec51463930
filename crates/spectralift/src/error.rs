//! What can go wrong.

/// Result of an operation of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// Errors of this crate, named by cause.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A setting cannot be used.
    #[error("`{name}` should be {expected}, got `{got}`")]
    Setting {
        /// The setting.
        name: &'static str,
        /// What it may be.
        expected: String,
        /// What it is.
        got: String,
    },
    /// An array has another shape than is needed.
    #[error("{what} should be {expected}, got the shape {got:?}")]
    Shape {
        /// Which array.
        what: &'static str,
        /// What its shape should be.
        expected: String,
        /// What its shape is.
        got: Vec<usize>,
    },
    /// An array holds NaN or an infinity.
    #[error("{what} has {count} values that are not finite")]
    NotFinite {
        /// Which array.
        what: &'static str,
        /// How many of its values are not finite.
        count: usize,
    },
}

impl Error {
    /// A setting outside what it may be.
    pub(crate) fn setting(
        name: &'static str,
        expected: impl Into<String>,
        got: impl std::fmt::Display,
    ) -> Self {
        Self::Setting { name, expected: expected.into(), got: got.to_string() }
    }
}
