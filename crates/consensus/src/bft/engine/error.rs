//! Why an engine or one of its handlers stops.

use crate::bft::MessageError;

/// A failure after which the engine's state can no longer be trusted. Stop the process.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// Replaying the write-ahead log leads to other votes than those in it.
    #[error("the write-ahead log does not lead to the votes in it: {0}")]
    Diverged(String),
    /// The agreement core reached a state that should not exist.
    #[error("the agreement core failed: {0}")]
    Core(String),
}

/// Why a handler stopped before the end of an input.
pub(super) enum HandlerError {
    /// The message is not used. The engine continues.
    Message(MessageError),
    /// The engine failed.
    Engine(EngineError),
}

impl From<MessageError> for HandlerError {
    fn from(error: MessageError) -> Self {
        Self::Message(error)
    }
}

impl From<EngineError> for HandlerError {
    fn from(error: EngineError) -> Self {
        Self::Engine(error)
    }
}
