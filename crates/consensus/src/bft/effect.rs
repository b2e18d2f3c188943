//! Effects: what the engine asks the node to do.
//!
//! The node performs effects in their order. Safety depends on [`Effect::Sync`]: everything appended
//! or saved before it has to be durable before any later effect is performed.

use std::time::Duration;

use nervure_primitives::{BlockHeight, Hash, NodeId, UnixMillis};

use super::{
    BlockStamp, Equivocation, Message, MessageError, Round, SignedVote, SignerRecord, Timer, WalEntry,
};
use crate::checkpoint::CommitCertificate;

/// An action for the node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Append to the write-ahead log of the current height. Need not be durable yet.
    Append(WalEntry),
    /// Replace the signer's record. Need not be durable yet, but must not become durable before the
    /// entries appended before it: a restarted node would sign nothing until the next height.
    SaveSigner(SignerRecord),
    /// Make everything appended and saved so far durable, then continue. If that fails, stop the
    /// process and perform no later effect.
    Sync,
    /// Send to all validators.
    Broadcast(Message),
    /// Start or restart a timer.
    Schedule {
        /// The timer.
        timer: Timer,
        /// When it fires.
        after: Duration,
    },
    /// Stop the timer if it runs.
    Cancel(Timer),
    /// Stop all timers but [`TimerKind::Listen`](super::TimerKind::Listen), which can be longer than a height.
    CancelAll,
    /// Build a block and answer with [`Input::Proposed`](super::Input::Proposed), or not at all.
    Propose {
        /// The height.
        height: BlockHeight,
        /// The round.
        round: Round,
        /// How long the other validators wait for the proposal.
        within: Duration,
    },
    /// Fetch the block, execute it, and answer with [`Input::Validated`](super::Input::Validated).
    Validate(Candidate),
    /// The height is decided: commit the block with its certificate, durably, then start the next
    /// height. May repeat after a crash.
    Decided(CommitCertificate),
    /// A validator's precommit for the block that was just decided, verified: it is not in the certificate, because it
    /// came later. The next block can name its signer among those who signed. Need not be kept.
    LatePrecommit(SignedVote),
    /// A validator equivocated. Emitted with the decision of the height; the two signatures prove it
    /// to third parties.
    Evidence(Equivocation),
    /// A message of a peer was not used. [`MessageError::blames_sender`] says whether to penalise
    /// the peer. A message without this effect may be forwarded.
    Refused {
        /// The sender.
        from: NodeId,
        /// The reason.
        reason: MessageError,
    },
    /// A validator is at a later height: fetch the decisions since. Repeats with every such message;
    /// the node asks once.
    Behind {
        /// The peer that sent the message, and may be asked.
        peer: NodeId,
        /// The validator's height.
        height: BlockHeight,
    },
    /// Our key has signed beyond our record, or the log lacks our last statement: nothing is signed
    /// up to this height.
    Silenced {
        /// The last height at which nothing is signed.
        through: BlockHeight,
        /// Whether another process signs with our key.
        key_used_twice: bool,
    },
    /// The other validators decided a block that our application calls invalid. Either we or more
    /// than a third of the power are faulty: stop and let an operator investigate.
    Contradicted(CommitCertificate),
    /// A valid block is not prevoted in this round, because its time is too far from this node's clock or because
    /// another validator made it. For logs and metrics: if it happens often, a clock is wrong.
    Untimely {
        /// The round.
        round: Round,
        /// The proposer of the round.
        proposer: NodeId,
        /// What the block says; none when it is this node's own block, or known from the log only.
        stamp: Option<BlockStamp>,
        /// This node's clock when the proposal arrived.
        received: UnixMillis,
    },
    /// A round started. For logs and metrics.
    RoundStarted {
        /// The height.
        height: BlockHeight,
        /// The round.
        round: Round,
        /// Its proposer.
        proposer: NodeId,
    },
}

/// A proposed block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The height.
    pub height: BlockHeight,
    /// The round in which it was first proposed.
    pub round: Round,
    /// The block's hash.
    pub value: Hash,
    /// Its proposer in that round, which should have the block.
    pub proposer: NodeId,
}
