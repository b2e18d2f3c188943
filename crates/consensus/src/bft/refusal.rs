//! Why the engine did not use what a peer sent.

use nervure_primitives::{BlockHeight, NodeId};

use crate::checkpoint::CertificateError;

/// Why a message or certificate was dropped.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// No height is being decided.
    #[error("no height has been started")]
    Idle,
    /// About a height already decided. Its sender may be behind: send it the certificate of that
    /// height, at a limited rate, since nobody else may speak to it. Validators of the next height
    /// need not be those of this one.
    #[error("height {0} is already decided")]
    Old(BlockHeight),
    /// About a height too far ahead to keep, or a kind of message that is only kept for its height.
    #[error("height {0} is too far ahead")]
    Early(BlockHeight),
    /// Known already.
    #[error("already known")]
    Duplicate,
    /// Too many rounds ahead of ours to keep.
    #[error("too many rounds ahead")]
    FarRound,
    /// As much as may be kept of its kind is already kept.
    #[error("no more of this kind is kept")]
    Crowded,
    /// Signed by somebody who does not vote at this height.
    #[error("{0} is not a validator of this height")]
    NotAValidator(NodeId),
    /// A proposal by somebody whose turn it is not.
    #[error("{0} is not the proposer of this round")]
    NotTheProposer(NodeId),
    /// A number that no correct validator writes: a round beyond all rounds, or a proposal that
    /// rests on a round not before its own.
    #[error("no correct validator writes this round")]
    Absurd,
    /// The signature does not hold.
    #[error("the signature of {0} does not hold")]
    Signature(NodeId),
    /// The certificate does not prove what it should.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
}

impl Refusal {
    /// Whether a correct peer would not have sent or forwarded this. The rest happens between
    /// correct peers that are not equally far.
    pub const fn blames_sender(&self) -> bool {
        matches!(self, Self::Absurd | Self::Signature(_) | Self::Certificate(_))
    }
}
