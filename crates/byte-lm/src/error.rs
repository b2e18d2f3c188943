//! Why a byte model could not be loaded or could not compute.

use nervure_experts::ExpertError;

/// A fault of a model or of its weights file.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// The weights file is larger than any model of this crate.
    #[error("a weights file of {bytes} bytes, at most {max_bytes} are allowed")]
    WeightsTooLarge {
        /// Its size.
        bytes: usize,
        /// The bound.
        max_bytes: usize,
    },
    /// The weights do not fit the model, or the computation failed.
    #[error("{0}")]
    Computation(#[from] candle_core::Error),
}

impl From<ModelError> for ExpertError {
    fn from(error: ModelError) -> Self {
        Self::Internal(error.to_string().into())
    }
}
