//! What may happen to the engine.

use std::sync::Arc;

use nervure_primitives::{BlockHeight, Hash, NodeId};

use super::{Message, Round, SignedVote, Timer, WalEntry};
use crate::checkpoint::{CommitCertificate, ValidatorSet};

/// An event for the engine.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Input {
    /// Decide this height. The first input, and the answer to every
    /// [`Effect::Decided`](super::Effect::Decided) once the block is committed; given when it is
    /// time for the next block, since that is when the wait for a proposal begins.
    Start {
        /// The height after the last committed one.
        height: BlockHeight,
        /// Who decides it.
        validators: Arc<ValidatorSet>,
        /// What the write-ahead log holds of this height: empty unless the process was restarted.
        log: Vec<WalEntry>,
    },
    /// A peer sent a message. Decoded, not verified.
    Message {
        /// Who sent it, to be told apart from who signed it.
        from: NodeId,
        /// The message.
        message: Message,
    },
    /// A timer fired. Timers of the past may fire late and do nothing.
    Elapsed(Timer),
    /// The block asked for by [`Effect::Propose`](super::Effect::Propose).
    Proposed {
        /// The height asked for.
        height: BlockHeight,
        /// The round asked for.
        round: Round,
        /// The block's hash. The node can serve the block from now on.
        value: Hash,
    },
    /// The answer to [`Effect::Validate`](super::Effect::Validate).
    Validated {
        /// The height asked about.
        height: BlockHeight,
        /// The block's hash.
        value: Hash,
        /// Whether the application accepts it on top of the last committed block.
        valid: bool,
    },
    /// A signature of our own key, in the verified certificate of a block that came from others.
    OwnSignature {
        /// What was signed.
        vote: SignedVote,
        /// Whether the height began after this process did, so that no earlier life of it can have signed.
        began_here: bool,
    },
    /// A peer showed that the height is decided. Not verified.
    Certificate {
        /// Who sent it.
        from: NodeId,
        /// The certificate.
        certificate: CommitCertificate,
    },
}
