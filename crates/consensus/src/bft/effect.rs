//! What the engine wants done.
//!
//! Effects are performed in the order in which they are listed. [`Effect::Sync`] is the one that
//! safety hangs on: whatever was to be appended or saved before it has to be durable before
//! anything after it is done.

use std::time::Duration;

use nervure_primitives::{BlockHeight, Hash, NodeId};

use super::{Message, Refusal, Round, SignedProposal, SignedVote, SignerRecord, Timer, WalEntry};
use crate::checkpoint::CommitCertificate;

/// Something for the node to do.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Effect {
    /// Append to the write-ahead log of the current height; need not be durable yet.
    Append(WalEntry),
    /// Replace the signer's record; need not be durable yet, but never may it be while an entry
    /// appended before it is not: then nothing could be signed until the next height.
    SaveSigner(SignerRecord),
    /// Make everything appended and saved so far durable, then go on. If that fails, stop the
    /// process without performing what follows.
    Sync,
    /// Send to all validators.
    Broadcast(Message),
    /// Start the timer, or start it again.
    Schedule {
        /// Which.
        timer: Timer,
        /// How long it runs.
        after: Duration,
    },
    /// Stop the timer if it runs.
    Cancel(Timer),
    /// Stop all timers.
    CancelAll,
    /// Build a block and answer with [`Input::Proposed`](super::Input::Proposed), or do nothing.
    Propose {
        /// For which height.
        height: BlockHeight,
        /// For which round.
        round: Round,
        /// When the others will stop waiting.
        within: Duration,
    },
    /// Fetch the block, execute it, and answer with [`Input::Validated`](super::Input::Validated).
    Validate(Candidate),
    /// The height is decided: commit the block with its certificate, durably, then start the next
    /// height. May come again after a crash.
    Decided(CommitCertificate),
    /// A validator signed two statements where it may sign one. Comes with the decision of the
    /// height and can be proven to anybody.
    Evidence(Equivocation),
    /// What a peer sent was not used. [`Refusal::blames_sender`] says whether to hold it against
    /// the peer; what is not refused may be forwarded.
    Refused {
        /// Who sent it.
        from: NodeId,
        /// Why.
        reason: Refusal,
    },
    /// A validator is at a later height: fetch what was decided since. Comes as often as it is
    /// heard; the node asks once.
    Behind {
        /// Who was heard, and may be asked.
        peer: NodeId,
        /// The height it is at.
        height: BlockHeight,
    },
    /// Our key has been seen to sign beyond our record, or the log lacks what we last signed:
    /// nothing is signed up to this height.
    Silenced {
        /// The last height without our signature.
        through: BlockHeight,
        /// Whether another process signs with our key right now.
        key_used_twice: bool,
    },
    /// The others decided a block that our application calls invalid. Either we or more than a
    /// third of the power are wrong: stop, and let a person look.
    Contradicted(CommitCertificate),
    /// A round began. For logs and metrics.
    RoundStarted {
        /// The height.
        height: BlockHeight,
        /// The round.
        round: Round,
        /// Whose turn it is.
        proposer: NodeId,
    },
}

/// A block that somebody wants decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The height.
    pub height: BlockHeight,
    /// The round in which it was first seen.
    pub round: Round,
    /// The block's hash.
    pub value: Hash,
    /// Who proposed it then, and should have the block.
    pub proposer: NodeId,
}

/// Two signatures that exclude each other, by the same validator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Equivocation {
    /// Two votes of one kind in one round.
    Votes(SignedVote, SignedVote),
    /// Two proposals in one round.
    Proposals(SignedProposal, SignedProposal),
}

impl Equivocation {
    /// Who did it.
    pub const fn culprit(&self) -> NodeId {
        match self {
            Self::Votes(vote, _) => vote.signer,
            Self::Proposals(proposal, _) => proposal.signer,
        }
    }
}
