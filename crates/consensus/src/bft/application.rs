//! The application: a state machine that is replicated by a chain of blocks (in Tendermint, ABCI).
//!
//! The engine knows blocks by their hash only. An [`Application`] builds, validates and commits them;
//! the node calls it when the engine asks, and transfers the bodies between nodes.

use std::{collections::BTreeSet, sync::Arc};

use nervure_primitives::{BlockHeight, Hash, NodeId, UnixMillis};

use super::{Equivocation, Round, SignedVote};
use crate::checkpoint::{CommitCertificate, ValidatorSet};

/// A block. Validators decide its id and execute its body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// The hash of the header, which commits to the body.
    pub id: Hash,
    /// The bytes that other nodes need to validate it.
    pub body: Vec<u8>,
}

/// What the header of a valid block says about its making. The engine compares it with the round's proposer and with
/// this node's clock before it prevotes the block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockStamp {
    /// The validator that made it.
    pub proposer: NodeId,
    /// When, by the proposer's clock.
    pub time: UnixMillis,
}

/// A validator's turn to propose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turn {
    /// The validator.
    pub proposer: NodeId,
    /// The round.
    pub round: Round,
    /// Its clock.
    pub now: UnixMillis,
}

/// A state machine whose transitions are blocks.
///
/// Deterministic: the same blocks lead to the same answers on every node. Everything up to the last
/// [`commit`](Self::commit) that succeeded is durable; all other state may be lost in a crash.
pub trait Application {
    /// The last committed height.
    fn height(&self) -> BlockHeight;

    /// The validators of the next height.
    fn validators(&self) -> Arc<ValidatorSet>;

    /// The validators of the next height that were not heard in the last heights, by the committed state.
    fn silent(&self) -> BTreeSet<NodeId> {
        BTreeSet::new()
    }

    /// Keeps a precommit for the last committed block that came after its certificate.
    fn late_precommit(&mut self, _vote: &SignedVote) {}

    /// Takes the evidence that a validator equivocated, which the engine found and verified. Who can have it punished does
    /// so with the next blocks.
    fn equivocation(&mut self, _evidence: &Equivocation) {}

    /// Builds a block on top of the last committed one. Its stamp has the proposer of the turn, and the time of its
    /// clock unless the last block has a later one.
    fn propose(&mut self, turn: Turn) -> Block;

    /// The id of the block with this body; none when the bytes are not a block. A body that a peer
    /// sends under another id is discarded and says nothing about the block of that id.
    fn id_of(&self, body: &[u8]) -> Option<Hash>;

    /// What the block with this body says about its making; none when the bytes are not a block.
    fn stamp_of(&self, body: &[u8]) -> Option<BlockStamp>;

    /// Whether the block with this body may follow the last committed one.
    fn validate(&mut self, body: &[u8]) -> bool;

    /// Commits the block that was decided, durably together with its certificate.
    ///
    /// # Errors
    /// When the disk failed. The process has to stop; after a restart the state is the one before
    /// the block or the one after it.
    fn commit(&mut self, certificate: &CommitCertificate, body: &[u8]) -> Result<(), CommitError>;

    /// The root of the committed state. Equal states have equal roots.
    fn state_root(&self) -> Hash;

    /// Drops all uncommitted state, as a crash and restart would.
    fn restart(&mut self);

    /// Makes the disk fail after `_writes` more writes, if need be in the middle of a commit, until
    /// the next restart. Only for applications that simulate their disk.
    fn power_fails_after(&mut self, _writes: u32) {}
}

/// The commit of a block failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the block was not committed: {0}")]
pub struct CommitError(pub String);
