//! Entries of the write-ahead log of the height being decided.
//!
//! Every verified message, verdict and timeout that changed the state machine is an entry. The
//! entries of a height bring a new engine ([`Input::Start`](super::Input::Start)) to the same state.
//! Our own votes are among them and are used as they are, so that a replay signs nothing twice.
//!
//! The store frames, checksums and syncs the log. It may lose any tail of entries that were not
//! followed by [`Effect::Sync`](super::Effect::Sync): nothing that depends on them has left the node.
//! It must not lose an entry and keep a signer's record that was saved after it, so it writes the
//! log first. The log of the next height starts empty.
//!
//! Hazard: entries come from our own disk but are decoded like messages from outside, and their
//! signatures are verified again on replay.

use nervure_primitives::{
    BlockHeight, Hash, NodeId,
    cbor::{self, CborError, Limits},
};
use serde::{Deserialize, Serialize};

use super::{HighWaterMark, MAX_MESSAGE_BYTES, PolkaCertificate, Round, SignedProposal, SignedVote, Timer};

/// A verdict on a proposed block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Verdict {
    /// The height.
    #[serde(rename = "h")]
    pub height: BlockHeight,
    /// The round in which the block was first proposed.
    #[serde(rename = "r")]
    pub round: Round,
    /// Its proposer in that round.
    #[serde(rename = "n")]
    pub proposer: NodeId,
    /// The block's hash.
    #[serde(rename = "v")]
    pub value: Hash,
    /// Whether the application accepts it.
    #[serde(rename = "ok")]
    pub valid: bool,
}

/// An entry of the write-ahead log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum WalEntry {
    /// A verified vote, ours or another validator's.
    #[serde(rename = "vote")]
    Vote(SignedVote),
    /// A verified proposal, ours or another validator's.
    #[serde(rename = "proposal")]
    Proposal(SignedProposal),
    /// The application's verdict on a block.
    #[serde(rename = "verdict")]
    Verdict(Verdict),
    /// A timer that fired.
    #[serde(rename = "timeout")]
    Timeout(Timer),
    /// A verified polka certificate.
    #[serde(rename = "polka")]
    Polka(PolkaCertificate),
}

impl From<HighWaterMark> for WalEntry {
    fn from(statement: HighWaterMark) -> Self {
        match statement {
            HighWaterMark::Vote(vote) => Self::Vote(vote),
            HighWaterMark::Proposal(proposal) => Self::Proposal(proposal),
        }
    }
}

impl WalEntry {
    /// Decodes an entry.
    ///
    /// # Errors
    /// When `bytes` are too long or not canonical.
    pub fn decode(bytes: &[u8]) -> Result<Self, CborError> {
        cbor::decode(bytes, Limits::new(MAX_MESSAGE_BYTES))
    }

    /// The canonical bytes.
    ///
    /// # Errors
    /// None in practice: entries always encode.
    pub fn encode(&self) -> Result<Vec<u8>, CborError> {
        cbor::encode(self)
    }

    /// The height that it belongs to.
    pub const fn height(&self) -> BlockHeight {
        match self {
            Self::Vote(vote) => vote.statement.height,
            Self::Proposal(proposal) => proposal.statement.height,
            Self::Verdict(verdict) => verdict.height,
            Self::Timeout(timer) => timer.height,
            Self::Polka(certificate) => certificate.height,
        }
    }
}
