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
}
