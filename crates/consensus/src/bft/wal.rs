//! What the write-ahead log remembers of the height being decided.
//!
//! Every verified message, verdict and timeout that moved the state machine is an entry; feeding
//! the entries of a height to a fresh engine ([`Input::Start`](super::Input::Start)) brings it to
//! the same state. Our own votes are among them and are used again as they are, so that replaying
//! signs nothing that was signed before.
//!
//! Framing, checksums and syncing are the store's business. It may lose any tail of entries that
//! were not followed by [`Effect::Sync`](super::Effect::Sync): nothing that depended on them has
//! left the node. It must not lose an entry and keep a signer's record that was saved after it:
//! write the log first. At the start of the next height the log starts empty.
//!
//! Hazard: entries are read back from our own disk but decoded like anything from outside; the
//! signatures in them are verified again on replay.

use nervure_primitives::{
    BlockHeight, Hash, NodeId,
    cbor::{self, CborError, Limits},
};
use serde::{Deserialize, Serialize};

use super::{MAX_MESSAGE_LEN, Mark, PolkaCertificate, Round, SignedProposal, SignedVote, Timer};

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
    /// Who proposed it then.
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
    /// A verified vote, ours or another's.
    #[serde(rename = "vote")]
    Vote(SignedVote),
    /// A verified proposal, ours or another's.
    #[serde(rename = "proposal")]
    Proposal(SignedProposal),
    /// What the application thinks of a block.
    #[serde(rename = "verdict")]
    Verdict(Verdict),
    /// A timer that fired.
    #[serde(rename = "timeout")]
    Timeout(Timer),
    /// A verified polka certificate.
    #[serde(rename = "polka")]
    Polka(PolkaCertificate),
}

impl From<Mark> for WalEntry {
    fn from(statement: Mark) -> Self {
        match statement {
            Mark::Vote(vote) => Self::Vote(vote),
            Mark::Proposal(proposal) => Self::Proposal(proposal),
        }
    }
}

impl WalEntry {
    /// Reads an entry.
    ///
    /// # Errors
    /// When `bytes` are too many or not canonical.
    pub fn decode(bytes: &[u8]) -> Result<Self, CborError> {
        cbor::decode(bytes, Limits::new(MAX_MESSAGE_LEN))
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
