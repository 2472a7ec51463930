//! What can be wrong with a noise description.

/// Result of an operation of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// Errors of noise descriptions and their parameters.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The description, or a part of it between two `+`, is blank.
    #[error("the noise description `{description}` has an empty part, expected {known}")]
    Empty {
        /// The whole description.
        description: String,
        /// The forms that are understood.
        known: String,
    },
    /// No noise model has this name.
    #[error("unknown noise model `{name}`, expected {known}")]
    UnknownModel {
        /// The name that was given.
        name: String,
        /// The forms that are understood.
        known: String,
    },
    /// A model has too few or too many parameters.
    #[error("noise model `{model}` is written `{form}`, got {got} parameter(s)")]
    ParameterCount {
        /// Name of the model.
        model: &'static str,
        /// The form that is understood.
        form: &'static str,
        /// How many parameters were given.
        got: usize,
    },
    /// A parameter is no number.
    #[error("parameter {parameter} of noise model `{model}` should be a number, got `{got}`")]
    NotANumber {
        /// Name of the model.
        model: &'static str,
        /// Name of the parameter.
        parameter: &'static str,
        /// The text that was given.
        got: String,
    },
    /// A parameter lies outside its range.
    #[error("parameter {parameter} of noise model `{model}` should be {expected}, got {got}")]
    Parameter {
        /// Name of the model.
        model: &'static str,
        /// Name of the parameter.
        parameter: &'static str,
        /// The range that is allowed.
        expected: &'static str,
        /// The value that was given.
        got: f64,
    },
}
