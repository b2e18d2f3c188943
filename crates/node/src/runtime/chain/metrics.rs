//! What the chain counts and measures.

use std::time::{Duration, Instant};

use nervure_consensus::checkpoint::ValidatorSet;
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, histogram::Histogram},
    registry::{Registry, Unit},
};

use super::{
    AlertKind, ChainView,
    inbox::Lane,
    steps::{Ended, Step},
    validator_counters::ValidatorCounters,
};
use crate::runtime::{clock, metrics::StateGauge, view};

/// Bounds of the buckets of a height's duration, in seconds: a local mesh has blocks of some 100 ms, and a height of
/// many rounds takes minutes.
const HEIGHT_SECONDS: [f64; 12] = [0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0, 300.0];

/// Bounds of the buckets of the number of transactions in a block.
const BLOCK_TRANSACTIONS: [f64; 9] = [0.0, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1_000.0, 3_000.0];

/// Bounds of the buckets of a step's duration, in seconds: execution and writing take milliseconds, and a vote waits for
/// the slowest of two thirds of the power.
const STEP_SECONDS: [f64; 12] = [0.001, 0.003, 0.01, 0.03, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 15.0, 60.0];

/// Bounds of the buckets of the number of rounds of a height.
const HEIGHT_ROUNDS: [f64; 8] = [1.0, 2.0, 3.0, 4.0, 6.0, 10.0, 20.0, 50.0];

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
    /// What each validator missed.
    validators: ValidatorCounters,
    dropped: Dropped,
    heights: HeightDurations,
    transactions: BlockTransactions,
    rounds: HeightRounds,
    steps: StepDurations,
}

#[derive(Clone, Debug)]
struct HeightRounds(Histogram);

impl Default for HeightRounds {
    fn default() -> Self {
        Self(Histogram::new(HEIGHT_ROUNDS))
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StepLabels {
    step: &'static str,
}

#[derive(Clone, Debug)]
struct StepDurations(Family<StepLabels, Histogram>);

impl Default for StepDurations {
    fn default() -> Self {
        let steps = Family::<StepLabels, Histogram>::new_with_constructor(|| Histogram::new(STEP_SECONDS));
        Step::ALL.into_iter().for_each(|step| drop(steps.get_or_create(&StepLabels { step: step.name() })));
        Self(steps)
    }
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
        name: "chain_blocks_from",
        help: "Lowest block that this node has with its transactions; 1 on an archive that began with the genesis",
        value: |view| view.history.from.0,
    },
    StateGauge {
        name: "chain_archive",
        help: "1 when this node deletes no blocks",
        value: |view| view.history.is_archive.into(),
    },
    StateGauge {
        name: "chain_checkpoint",
        help: "Height of the last checkpoint; 0 before the first",
        value: |view| view::last_checkpoint(&view.tip.state).map_or(0, |block| block.0),
    },
    StateGauge {
        name: "chain_standing_still",
        help: "1 when no block came for 20 block times, and at least a minute",
        value: |view| view.standing_still(clock::now()).is_some().into(),
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
        name: "chain_slashed",
        help: "Validators that equivocated, were slashed, and are jailed for good",
        value: |view| view.tip.state.roster().slashed() as u64,
    },
    StateGauge {
        name: "chain_alert_refused",
        help: "1 while a transaction of this node's key was refused and none of its kind was applied since",
        value: |view| view.alerts.contains_key(&AlertKind::Refused).into(),
    },
    StateGauge {
        name: "chain_alert_waiting",
        help: "1 while a transaction of this node's key waits for more than 3 blocks, or expired in the mempool",
        value: |view| view.alerts.contains_key(&AlertKind::Waiting).into(),
    },
    StateGauge {
        name: "chain_alert_unsigned",
        help: "1 while this node is a validator and its precommits for the last 3 blocks or more are not counted",
        value: |view| view.alerts.contains_key(&AlertKind::Unsigned).into(),
    },
    StateGauge {
        name: "chain_failed",
        help: "1 when this node has stopped following the chain",
        value: |view| view.failed.is_some().into(),
    },
];

/// Durations of the state of the chain.
pub(crate) const STATE_DURATIONS: &[StateGauge<ChainView, Duration>] = &[
    StateGauge {
        name: "chain_finality",
        help: "Time from the start of the last height to its commit",
        value: |view| view.took.unwrap_or_default(),
    },
    StateGauge {
        name: "chain_block_age",
        help: "Time since the time of the last block, by this node's clock",
        value: |view| view.block_age(clock::now()),
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
                "Transactions of peers that cost their senders nothing; those of a peer that sends many wait for others",
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
        let rounds = "Rounds that the height of a committed block took";
        registry.register("chain_height_rounds", rounds, self.rounds.0.clone());
        let steps =
            "Duration of the steps of agreeing on a block: propose, prevote and precommit on validators only";
        registry.register_with_unit("chain_step", steps, Unit::Seconds, self.steps.0.clone());
        self.validators.register(registry);
        let transactions = "Transactions in committed blocks";
        registry.register("chain_block_transactions", transactions, self.transactions.0.clone());
    }

    /// Counts a message that found its lane full.
    pub(super) fn dropped(&self, lane: Lane) {
        self.dropped.0.get_or_create(&LaneLabels { lane: lane.name() }).inc();
    }

    /// Measures a block that was committed in the round with this number.
    pub(super) fn block(&self, transactions: usize, round: u32) {
        self.transactions.0.observe(transactions as f64);
        self.rounds.0.observe(f64::from(round) + 1.0);
    }

    /// These are the validators of the next block.
    pub(crate) fn elected(&self, set: &ValidatorSet) {
        self.validators.elected(set);
    }

    /// What each validator missed.
    pub(super) const fn validators(&self) -> &ValidatorCounters {
        &self.validators
    }

    /// Measures a step that ended.
    pub(super) fn step(&self, ended: Ended) {
        let labels = StepLabels { step: ended.step.name() };
        self.steps.0.get_or_create(&labels).observe(ended.took.as_secs_f64());
    }

    /// Runs `work`, and measures it as a step.
    pub(super) fn time<T>(&self, step: Step, work: impl FnOnce() -> T) -> T {
        let began = Instant::now();
        let result = work();
        self.step(Ended { step, took: began.elapsed() });
        result
    }

    /// Measures a height that ended.
    pub(super) fn height(&self, took: Duration) {
        self.heights.0.observe(took.as_secs_f64());
    }
}
