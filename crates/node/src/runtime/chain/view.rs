//! The state of the chain, as the rest of the node sees it.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use nervure_ledger::{chain::Tip, spec::MeshSpec, upgrade::UnknownVersion};
use nervure_primitives::{BlockHeight, UnixMillis};
use nervure_store::StoreError;

use super::{Alert, AlertKind};

/// Block times without a block after which the chain stands still, and the shortest such time.
pub(super) const STILL_BLOCKS: u32 = 20;
pub(super) const MIN_STILL: Duration = Duration::from_secs(60);

/// The state of the chain as this node knows it.
#[derive(Clone, Debug)]
pub(crate) struct ChainView {
    /// The last block and the state after it.
    pub tip: Arc<Tip>,
    /// How far back this node has blocks.
    pub history: KeptHistory,
    /// Why this node gets no blocks of others, when no connected one has the next block any more.
    pub no_history: Option<String>,
    /// Whether a peer that was asked for later blocks has had none, since the start.
    pub is_current: bool,
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
    /// What this node's operator should look at.
    pub alerts: BTreeMap<AlertKind, Alert>,
    /// Why no block is made, as far as this validator can tell.
    pub stalled: Option<String>,
    /// Why this node has stopped following the chain; a restart is needed.
    pub failed: Option<String>,
    /// How long no block may come before the chain stands still.
    pub still_after: Duration,
    /// The version of the next block that this program does not know; it has stopped following the chain.
    pub outdated: Option<UnknownVersion>,
}

/// How far back a node has blocks with their transactions and events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct KeptHistory {
    /// The lowest of them; one after the last block when there is none.
    pub from: BlockHeight,
    /// Whether it keeps all of them from there on.
    pub is_archive: bool,
}

impl ChainView {
    /// Of a node that has just opened its store.
    pub(super) fn of(tip: Tip) -> Self {
        Self {
            tip: Arc::new(tip),
            history: KeptHistory::default(),
            no_history: None,
            is_current: false,
            committed: Instant::now(),
            took: None,
            round: 0,
            behind: None,
            waiting: 0,
            going_tip: 0,
            signed: None,
            silent_through: None,
            alerts: BTreeMap::new(),
            stalled: None,
            failed: None,
            still_after: MIN_STILL,
            outdated: None,
        }
    }

    /// How old the last block is, if the mesh has validators and none came for so long that the chain stands still, or this
    /// node does not get the blocks.
    pub(crate) fn standing_still(&self, now: UnixMillis) -> Option<Duration> {
        self.tip.state.validators()?;
        // The genesis of a local mesh has no time.
        let age = match self.tip.header.height.0 {
            0 => self.committed.elapsed(),
            _ => self.block_age(now),
        };
        (age > self.still_after).then_some(age)
    }

    /// How old the last block is at `now`, by the time in its header.
    pub(crate) fn block_age(&self, now: UnixMillis) -> Duration {
        now.since(self.tip.header.time)
    }

    /// The view of the genesis of `spec`, for a client that follows no chain.
    pub(crate) fn genesis(spec: &MeshSpec) -> Result<Self, StoreError> {
        Ok(Self::of(Tip::listed(spec)?))
    }
}
