//! Why a mechanism could not draw a task.

/// Why a task was not drawn.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DrawError {
    /// The validator's private texts are too short, or too few.
    #[error("the private texts have {have} {what}, and this mechanism needs {need}")]
    TooLittleText {
        /// The kind of text that is missing.
        what: &'static str,
        /// The amount available.
        have: usize,
        /// The amount that a task needs.
        need: usize,
    },
    /// What the texts have was asked before, and is retired.
    #[error(
        "the private texts have {left} pieces that were not asked yet, and a task needs {need}: bring new texts"
    )]
    AllAsked {
        /// The pieces that are left.
        left: usize,
        /// The amount that a task needs.
        need: usize,
    },
}
