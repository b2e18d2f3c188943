//! What is agreed on: a chain of blocks, each the step from one state to the next.
//!
//! The engine knows blocks by their hash only. An [`Application`] builds, checks and commits them;
//! the node calls it when the engine asks, and moves the bodies between nodes.

use std::sync::Arc;

use nervure_primitives::{BlockHeight, Hash};

use super::Round;
use crate::checkpoint::{CommitCertificate, ValidatorSet};

/// A block: what is decided is its id, what is executed its body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// Hash of the header, which commits to all the rest.
    pub id: Hash,
    /// The bytes that other nodes need to check it.
    pub body: Vec<u8>,
}

/// A state machine that blocks move on.
///
/// Deterministic: the same blocks lead to the same answers on every node. Everything up to the last
/// [`commit`](Self::commit) that succeeded is durable; whatever else it holds may be gone after a crash.
pub trait Application {
    /// The last committed height.
    fn height(&self) -> BlockHeight;

    /// Who decides the next height.
    fn validators(&self) -> Arc<ValidatorSet>;

    /// Builds a block on top of the last committed one.
    fn propose(&mut self, round: Round) -> Block;

    /// The id of the block with this body, if it is a block at all. What a peer sends under another
    /// id is not that block, and says nothing about it.
    fn id_of(&self, body: &[u8]) -> Option<Hash>;

    /// Whether the block with this body may follow the last committed one.
    fn validate(&mut self, body: &[u8]) -> bool;

    /// Commits the block that was decided, durably together with its certificate.
    ///
    /// # Errors
    /// When the disk failed: the process has to stop, and what is found after a restart is the state before
    /// the block or the state after it.
    fn commit(&mut self, certificate: &CommitCertificate, body: &[u8]) -> Result<(), CommitFailed>;

    /// A name for the committed state, to compare nodes by.
    fn state_root(&self) -> Hash;

    /// The process crashed and starts again: forget what was not committed.
    fn restart(&mut self);

    /// The power will fail after so many more writes, in the middle of a commit if it comes to that.
    /// Only for applications that simulate their disk; a restart brings it back.
    fn power_fails_after(&mut self, _writes: u32) {}
}

/// A commit that was not finished.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the block was not committed: {0}")]
pub struct CommitFailed(pub String);
