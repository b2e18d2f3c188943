//! Why the engine did not use a message or certificate of a peer.

use nervure_primitives::{BlockHeight, NodeId};

use crate::checkpoint::CertificateError;

/// Why a message or certificate was dropped.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MessageError {
    /// The engine has not started a height yet.
    #[error("no height has been started")]
    NotStarted,
    /// It is about a height that is already decided. The sender may be behind: send it the
    /// certificate of that height, at a limited rate. Validators of the next height need not be
    /// those of this one, so it may have no other peer that tells it.
    #[error("height {0} is already decided")]
    OldHeight(BlockHeight),
    /// It is about a height too far ahead to keep, or of a kind that is only used at its height.
    #[error("height {0} is too far ahead")]
    FutureHeight(BlockHeight),
    /// It is already known.
    #[error("already known")]
    Duplicate,
    /// Its round is too many rounds ahead of ours to keep.
    #[error("too many rounds ahead")]
    FutureRound,
    /// The limit for messages of its kind is reached.
    #[error("no more messages of this kind are kept")]
    LimitReached,
    /// The signer does not vote at this height.
    #[error("{0} is not a validator of this height")]
    NotAValidator(NodeId),
    /// A proposal by a validator that is not the proposer of the round.
    #[error("{0} is not the proposer of this round")]
    NotProposer(NodeId),
    /// A correct validator never sends it: a round above the maximum, or a proposal whose
    /// proof-of-lock round is not before its own.
    #[error("invalid round")]
    InvalidRound,
    /// The signature is invalid.
    #[error("invalid signature of {0}")]
    InvalidSignature(NodeId),
    /// The certificate is invalid.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
}

impl MessageError {
    /// Whether a correct peer would not have sent or forwarded this. All other errors occur between
    /// correct peers at different heights or rounds.
    pub const fn blames_sender(&self) -> bool {
        matches!(self, Self::InvalidRound | Self::InvalidSignature(_) | Self::Certificate(_))
    }
}
