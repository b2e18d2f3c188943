//! What the chain counts and measures.

use std::time::Duration;

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, histogram::Histogram},
    registry::{Registry, Unit},
};

use super::{ChainView, inbox::Lane};
use crate::runtime::{clock, metrics::StateGauge, view};

/// Bounds of the buckets of a height's duration, in seconds: a local mesh has blocks of some 100 ms, and a height of
/// many rounds takes minutes.
const HEIGHT_SECONDS: [f64; 12] = [0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0, 300.0];

/// Bounds of the buckets of the number of transactions in a block.
const BLOCK_TRANSACTIONS: [f64; 9] = [0.0, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1_000.0, 3_000.0];

/// Metrics of the chain. Clones share the same values.
#[derive(Clone, Debug, Default)]
pub(crate) struct ChainMetrics {
    /// Equivocations of validators that were proven.
    pub(super) equivocations: Counter,
    /// Reports of equivocation that this node submitted.
    pub(super) reports: Counter,
    /// Blocks of others that this node refused.
    pub(super) refused_blocks: Counter,
    /// Proposals of others that this node did not prevote because of their time or their proposer.
    pub(super) untimely_proposals: Counter,
    /// Answers and announcements of peers that no honest node sends.
    pub(super) peer_faults: Counter,
    /// Transactions of peers that no account pays for.
    pub(super) unfunded: Counter,
    /// Rounds beyond the first.
    pub(super) extra_rounds: Counter,
    dropped: Dropped,
    heights: HeightDurations,
    transactions: BlockTransactions,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct LaneLabels {
    lane: &'static str,
}

#[derive(Clone, Debug)]
struct Dropped(Family<LaneLabels, Counter>);

impl Default for Dropped {
    fn default() -> Self {
        let dropped = Family::<LaneLabels, Counter>::default();
        // Every series exists from the start, so that a rate over a first event is not lost.
        for lane in [Lane::Consensus, Lane::Blocks, Lane::Transactions] {
            drop(dropped.get_or_create(&LaneLabels { lane: lane.name() }));
        }
        Self(dropped)
    }
}

#[derive(Clone, Debug)]
struct HeightDurations(Histogram);

impl Default for HeightDurations {
    fn default() -> Self {
        Self(Histogram::new(HEIGHT_SECONDS))
    }
}

#[derive(Clone, Debug)]
struct BlockTransactions(Histogram);

impl Default for BlockTransactions {
    fn default() -> Self {
        Self(Histogram::new(BLOCK_TRANSACTIONS))
    }
}

/// Gauges of the state of the chain.
pub(crate) const STATE: &[StateGauge<ChainView>] = &[
    StateGauge {
        name: "chain_height",
        help: "Height of the last block committed here",
        value: |view| view.tip.header.height.0,
    },
    StateGauge {
        name: "chain_checkpoint",
        help: "Height of the last checkpoint; 0 before the first",
        value: |view| view::last_checkpoint(&view.tip.state).map_or(0, |block| block.0),
    },
    StateGauge {
        name: "chain_round",
        help: "Round that the next block is in",
        value: |view| view.round.into(),
    },
    StateGauge {
        name: "chain_waiting",
        help: "Transactions in the mempool",
        value: |view| view.waiting as u64,
    },
    StateGauge {
        name: "chain_finality_ms",
        help: "Milliseconds from the start of the last height to its commit",
        value: |view| view.took.map_or(0, |took| u64::try_from(took.as_millis()).unwrap_or(u64::MAX)),
    },
    StateGauge {
        name: "chain_block_age_ms",
        help: "Milliseconds since the time of the last block, by this node's clock",
        value: |view| u64::try_from(view.block_age(clock::now()).as_millis()).unwrap_or(u64::MAX),
    },
    StateGauge {
        name: "chain_slashed",
        help: "Validators that equivocated, were slashed, and are jailed for good",
        value: |view| view.tip.state.roster().slashed() as u64,
    },
    StateGauge {
        name: "chain_failed",
        help: "1 when this node has stopped following the chain",
        value: |view| view.failed.is_some().into(),
    },
];

impl ChainMetrics {
    /// Registers all of them.
    pub(crate) fn register(&self, registry: &mut Registry) {
        let counters = [
            ("chain_extra_rounds", "Rounds of consensus beyond the first", &self.extra_rounds),
            ("chain_equivocations", "Equivocations of validators", &self.equivocations),
            ("chain_reports", "Reports of equivocation that this node submitted", &self.reports),
            ("chain_refused_blocks", "Proposed blocks that were invalid", &self.refused_blocks),
            (
                "chain_untimely_proposals",
                "Proposed blocks that were refused because their time was too far from this node's clock",
                &self.untimely_proposals,
            ),
            (
                "chain_peer_faults",
                "Blocks of peers that no honest node sends: not bound to their header, or without a valid certificate",
                &self.peer_faults,
            ),
            (
                "chain_unfunded_transactions",
                "Transactions of peers that no account can pay for; many of one peer count against it",
                &self.unfunded,
            ),
        ];
        for (name, help, counter) in counters {
            registry.register(name, help, counter.clone());
        }
        let dropped = "Messages of peers that were dropped because the lane of their kind was full";
        registry.register("chain_dropped", dropped, self.dropped.0.clone());
        let heights = "Duration of heights, from their start to the commit; on validators only";
        registry.register_with_unit("chain_height_duration", heights, Unit::Seconds, self.heights.0.clone());
        let transactions = "Transactions in committed blocks";
        registry.register("chain_block_transactions", transactions, self.transactions.0.clone());
    }

    /// Counts a message that found its lane full.
    pub(super) fn dropped(&self, lane: Lane) {
        self.dropped.0.get_or_create(&LaneLabels { lane: lane.name() }).inc();
    }

    /// Measures a block that was committed.
    pub(super) fn block(&self, transactions: usize) {
        self.transactions.0.observe(transactions as f64);
    }

    /// Measures a height that ended.
    pub(super) fn height(&self, took: Duration) {
        self.heights.0.observe(took.as_secs_f64());
    }
}
