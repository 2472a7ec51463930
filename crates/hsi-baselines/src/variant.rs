//! Which of two forms of a method is meant.

use std::fmt;

/// The form of a method that comes with a quirk in its best known implementation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Variant {
    /// The method as it was published, or meant.
    #[default]
    Corrected,
    /// What HyDe 0.4.3 (`hyde-images`) computes under the name of the method.
    Hyde,
}

impl fmt::Display for Variant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Corrected => "corrected",
            Self::Hyde => "hyde",
        })
    }
}
