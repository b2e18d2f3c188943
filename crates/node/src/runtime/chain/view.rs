//! The state of the chain, as the rest of the node sees it.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use nervure_ledger::{chain::Tip, spec::MeshSpec};
use nervure_primitives::BlockHeight;
use nervure_store::StoreError;

/// The state of the chain as this node knows it.
#[derive(Clone, Debug)]
pub(crate) struct ChainView {
    /// The last block and the state after it.
    pub tip: Arc<Tip>,
    /// When it was committed here.
    pub committed: Instant,
    /// From the beginning of its height to its commit; none before the first block.
    pub took: Option<Duration>,
    /// The round that the next block is in.
    pub round: u32,
    /// The highest block that a certificate proved to exist, while this node does not have it.
    pub behind: Option<BlockHeight>,
    /// Transactions that wait for a block.
    pub waiting: usize,
    /// The least tip for 1,000 units of weight that would be in the next block, in base units.
    pub going_tip: u64,
    /// The highest block that this node's key signed something about.
    pub signed: Option<BlockHeight>,
    /// Up to which height this node's key signs nothing, because it was seen to have signed before.
    pub silent_through: Option<BlockHeight>,
    /// Why no block is made, as far as this validator can tell.
    pub stalled: Option<String>,
    /// Why this node has stopped following the chain; a restart is needed.
    pub failed: Option<String>,
}

impl ChainView {
    /// Of a node that has just opened its store.
    pub(super) fn of(tip: Tip) -> Self {
        Self {
            tip: Arc::new(tip),
            committed: Instant::now(),
            took: None,
            round: 0,
            behind: None,
            waiting: 0,
            going_tip: 0,
            signed: None,
            silent_through: None,
            stalled: None,
            failed: None,
        }
    }

    /// The view of the genesis of `spec`, for a client that follows no chain.
    pub(crate) fn genesis(spec: &MeshSpec) -> Result<Self, StoreError> {
        Ok(Self::of(Tip::genesis(spec)?.0))
    }
}
