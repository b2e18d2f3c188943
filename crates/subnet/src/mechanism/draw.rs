//! Why a mechanism could not draw a task.

/// Why a task was not drawn.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DrawError {
    /// The validator's private texts are too short, or too few.
    #[error("the private texts have {have} {what}, and this mechanism needs {need}")]
    TooLittleText {
        /// What there is too little of.
        what: &'static str,
        /// How much there is.
        have: usize,
        /// How much a task needs.
        need: usize,
    },
}
