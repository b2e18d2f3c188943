//! Validators' gossiped assignments and live scores, and the trust that the gate computes from those and the last block.
//!
//! What a hostile node can do: make us verify one signature per message that passed the network's own bounds. There
//! are tables for subnets of the ledger only, and each is bounded.

use std::{collections::BTreeMap, sync::Arc};

use futures::FutureExt;
use nervure_ledger::state::LedgerState;
use nervure_p2p::{TopicSpec, Verdict};
use nervure_primitives::{BlockHeight, MeshId, Netuid, NodeId};
use nervure_protocol::{
    AssignmentError, LiveScoresError, SignedAssignment, SignedLiveScores,
    topics::{ASSIGNMENTS, SCORES},
};
use nervure_router::TrustTable;
use nervure_subnet::{
    Registration, Trust,
    score::{LiveScoreTable, MedianScore},
    task::{AssignmentOutcome, Assignments},
};
use parking_lot::Mutex;
use prometheus_client::{metrics::counter::Counter, registry::Registry};

use super::{clock, gossip::TopicHandlers, registry::LedgerRegistry};

/// The topics of this module.
pub(crate) fn topics() -> [TopicSpec; 2] {
    [TopicSpec::of(ASSIGNMENTS), TopicSpec::of(SCORES)]
}

/// Registers the handlers of assignments and live scores.
pub(crate) fn register(topics: &mut TopicHandlers, score_gossip: &Arc<ScoreGossip>) {
    for topic in [ASSIGNMENTS, SCORES] {
        let score_gossip = score_gossip.clone();
        topics.register(topic.name, move |message| {
            let verdict = score_gossip.handle_gossip(topic.name, &message.data);
            message.judge(verdict).boxed()
        });
    }
}

/// How many messages of validators were accepted, ignored and rejected.
#[derive(Clone, Debug, Default)]
pub(crate) struct ScoreGossipMetrics {
    /// Accepted assignments.
    assignments: Counter,
    /// Accepted live scores.
    scores: Counter,
    /// Old, already known, or beyond a bound.
    ignored: Counter,
    /// Invalid in themselves.
    rejected: Counter,
}

impl ScoreGossipMetrics {
    /// Registers all of them.
    pub(crate) fn register(&self, registry: &mut Registry) {
        let counters = [
            ("assignments_accepted", "Assignments of validators accepted", &self.assignments),
            ("scores_accepted", "Live scores of validators accepted", &self.scores),
            ("opinions_ignored", "Assignments and live scores that were old or already known", &self.ignored),
            ("opinions_rejected", "Assignments and live scores that were invalid", &self.rejected),
        ];
        for (name, help, counter) in counters {
            registry.register(name, help, counter.clone());
        }
    }
}

/// Validators' assignments and live scores, shared by gossip, gate and the HTTP API.
pub(crate) struct ScoreGossip {
    mesh: MeshId,
    registry: LedgerRegistry,
    assignments: Mutex<Assignments>,
    live: Mutex<LiveScoreState>,
    metrics: ScoreGossipMetrics,
}

#[derive(Default)]
struct LiveScoreState {
    tables: BTreeMap<Netuid, LiveScoreTable>,
    /// The trust computed from them, and at which block; none once newer scores were accepted.
    trust: Option<(BlockHeight, Arc<TrustTable>)>,
}

impl ScoreGossip {
    /// Without assignments or scores.
    pub(crate) fn new(mesh: MeshId, registry: LedgerRegistry) -> Self {
        let (assignments, live) = (Mutex::default(), Mutex::default());
        Self { mesh, registry, assignments, live, metrics: ScoreGossipMetrics::default() }
    }

    /// Judges a message of one of the topics.
    pub(crate) fn handle_gossip(&self, topic: &str, data: &[u8]) -> Verdict {
        let (verdict, taken) = match topic {
            _ if topic == ASSIGNMENTS.name => (self.assignment(data), &self.metrics.assignments),
            _ => (self.scores(data), &self.metrics.scores),
        };
        let counter = match verdict {
            Verdict::Accept => taken,
            Verdict::Ignore => &self.metrics.ignored,
            Verdict::Reject => &self.metrics.rejected,
        };
        counter.inc();
        verdict
    }

    fn assignment(&self, data: &[u8]) -> Verdict {
        let now = clock::now();
        let verified = SignedAssignment::verify(data, &self.mesh, now, &self.registry);
        match verified.map(|signed| self.assignments.lock().insert(signed, now)) {
            Ok(AssignmentOutcome::New) => Verdict::Accept,
            Ok(AssignmentOutcome::Known | AssignmentOutcome::Full) => Verdict::Ignore,
            // A new block reaches nodes at different times: the sender may know a later one than this node.
            Err(
                AssignmentError::Expired
                | AssignmentError::FromTheFuture
                | AssignmentError::NotAValidator { .. }
                | AssignmentError::NotRegistered { .. },
            ) => Verdict::Ignore,
            Ok(AssignmentOutcome::Contradiction) | Err(_) => Verdict::Reject,
        }
    }

    fn scores(&self, data: &[u8]) -> Verdict {
        let now = clock::now();
        match SignedLiveScores::verify(data, &self.mesh, now, &self.registry) {
            Ok(signed) if self.take(&signed) => Verdict::Accept,
            Ok(_) => Verdict::Ignore,
            Err(
                LiveScoresError::TooOld
                | LiveScoresError::FromTheFuture
                | LiveScoresError::NotAValidator { .. },
            ) => Verdict::Ignore,
            Err(_) => Verdict::Reject,
        }
    }

    /// Takes verified scores, of others or this node's own. False when they are not newer than the known ones.
    pub(crate) fn take(&self, signed: &SignedLiveScores) -> bool {
        let netuid = signed.scores().netuid;
        let mut live = self.live.lock();
        // The verification needs a subnet of the ledger, so that peers cannot make tables of other numbers.
        let book = live.tables.entry(netuid).or_insert_with(|| LiveScoreTable::new(netuid));
        let news = book.insert(signed, clock::now());
        if news {
            live.trust = None;
        }
        news
    }

    /// The last block, and the trust in every neuron by that block and the live scores since. Computed again only after
    /// a new block or new scores; queries share the result.
    pub(crate) fn trusts(&self) -> (BlockHeight, Arc<TrustTable>) {
        let tip = self.registry.tip();
        let (height, state) = (tip.header.height, &tip.state);
        let mut live = self.live.lock();
        if let Some((_, trusts)) = live.trust.as_ref().filter(|(block, _)| *block == height) {
            return (height, trusts.clone());
        }
        // With each block: subnets end and validators lose their permits, and their scores must end too.
        live.tables.retain(|netuid, book| {
            book.retain(&self.registry);
            state.subnets().contains_key(netuid)
        });
        let trusts = Arc::new(trusts(state, &live.tables));
        live.trust = Some((height, trusts.clone()));
        (height, trusts)
    }

    /// What is counted about the messages.
    pub(crate) fn metrics(&self) -> &ScoreGossipMetrics {
        &self.metrics
    }
}

fn trusts(state: &LedgerState, tables: &BTreeMap<Netuid, LiveScoreTable>) -> TrustTable {
    let now = clock::now();
    let stake = |node: &NodeId| state.nodes().get(node).map_or(0, |node| node.stake().base_units());
    let mut trusts = TrustTable::new();
    for (netuid, subnet) in state.subnets() {
        let score_gossip: BTreeMap<Registration, MedianScore> =
            tables.get(netuid).map(|book| book.medians(stake, now)).unwrap_or_default();
        let largest = subnet.neurons.iter().map(|neuron| neuron.incentive).max().unwrap_or(0);
        for neuron in &subnet.neurons {
            let of = Registration { node: neuron.node, block: BlockHeight(neuron.registered) };
            // Before a subnet's first epoch all incentives are 0, and carry no information.
            let incentive = (largest > 0).then_some((neuron.incentive, largest));
            trusts.insert((*netuid, neuron.node), Trust::new(incentive, score_gossip.get(&of).copied()));
        }
    }
    trusts
}
