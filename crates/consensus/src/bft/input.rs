//! Inputs: the events that an engine reacts to.

use std::{collections::BTreeSet, sync::Arc};

use nervure_primitives::{BlockHeight, Hash, NodeId};

use super::{Message, Round, SignedVote, Timer, WalEntry};
use crate::checkpoint::{CommitCertificate, ValidatorSet};

/// An event for the engine.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Input {
    /// Decide this height. The first input, and the answer to every
    /// [`Effect::Decided`](super::Effect::Decided) once the block is committed. Sent when the next
    /// block is due, because the propose timeout starts with it.
    Start {
        /// The height after the last committed one.
        height: BlockHeight,
        /// The validators of the height.
        validators: Arc<ValidatorSet>,
        /// Those of them that were not heard in the last heights. They propose last. All validators have to
        /// name the same, so it comes from the state of the last block.
        silent: BTreeSet<NodeId>,
        /// The write-ahead log of this height: empty unless the process was restarted.
        log: Vec<WalEntry>,
    },
    /// A peer sent a message. Decoded, not verified.
    Message {
        /// The peer that sent it, not necessarily its signer.
        from: NodeId,
        /// The message.
        message: Message,
    },
    /// A timer fired. A late timer of an earlier height or round has no effect.
    Elapsed(Timer),
    /// The block asked for by [`Effect::Propose`](super::Effect::Propose).
    Proposed {
        /// The requested height.
        height: BlockHeight,
        /// The requested round.
        round: Round,
        /// The block's hash. The node can serve the block from now on.
        value: Hash,
    },
    /// The answer to [`Effect::Validate`](super::Effect::Validate).
    Validated {
        /// The height of the candidate.
        height: BlockHeight,
        /// The block's hash.
        value: Hash,
        /// Whether the application accepts it on top of the last committed block.
        valid: bool,
    },
    /// A signature by our own key in the verified certificate of a block decided by others.
    OwnSignature {
        /// The signed precommit.
        vote: SignedVote,
        /// Whether the height began after this process started, so that no earlier process of this
        /// node can have signed there.
        began_here: bool,
    },
    /// A peer sent the certificate of a height. Not verified.
    Certificate {
        /// The peer that sent it.
        from: NodeId,
        /// The certificate.
        certificate: CommitCertificate,
    },
}
