//! What validators say: the assignments that they gossip, their interim scores, and what the gate makes of those
//! together with the last block.
//!
//! What a hostile node can do: make us verify one signature per message that passed the network's own bounds. Books
//! are kept for subnets of the ledger only, and each is bounded.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use nervure_ledger::state::LedgerState;
use nervure_p2p::{TopicSpec, Verdict};
use nervure_primitives::{BlockHeight, MeshId, Netuid, NodeId};
use nervure_protocol::topics::{ASSIGNMENTS, SCORES};
use nervure_router::TrustTable;
use nervure_subnet::{
    Registration, Trust,
    score::{LiveScoreBook, LiveScoresError, Opinion, SignedLiveScores},
    task::{AssignmentError, Assignments, Filed, SignedAssignment},
};

use super::{clock, registry::LedgerRegistry};

/// The topics of this module.
pub(crate) fn topics() -> [TopicSpec; 2] {
    [TopicSpec::of(ASSIGNMENTS), TopicSpec::of(SCORES)]
}

/// What became of what validators said.
#[derive(Debug, Default)]
pub(crate) struct OpinionCounters {
    /// Assignments taken in.
    pub assignments: AtomicU64,
    /// Interim scores taken in.
    pub scores: AtomicU64,
    /// Old, known already, or beyond a bound.
    pub ignored: AtomicU64,
    /// Wrong in themselves.
    pub rejected: AtomicU64,
}

/// What validators say, shared by gossip, gate and the HTTP API.
pub(crate) struct Opinions {
    mesh: MeshId,
    registry: LedgerRegistry,
    assignments: Mutex<Assignments>,
    said: Mutex<Said>,
    counters: OpinionCounters,
}

#[derive(Default)]
struct Said {
    books: BTreeMap<Netuid, LiveScoreBook>,
    /// What was last made of them, at which block; none once somebody has said something new.
    made: Option<(BlockHeight, Arc<TrustTable>)>,
}

impl Opinions {
    /// Nothing heard yet.
    pub(crate) fn new(mesh: MeshId, registry: LedgerRegistry) -> Self {
        let (assignments, said) = (Mutex::default(), Mutex::default());
        Self { mesh, registry, assignments, said, counters: OpinionCounters::default() }
    }

    /// Judges a message of one of the topics.
    pub(crate) fn hear(&self, topic: &str, data: &[u8]) -> Verdict {
        let (verdict, taken) = match topic {
            _ if topic == ASSIGNMENTS.name => (self.assignment(data), &self.counters.assignments),
            _ => (self.scores(data), &self.counters.scores),
        };
        let counter = match verdict {
            Verdict::Accept => taken,
            Verdict::Ignore => &self.counters.ignored,
            Verdict::Reject => &self.counters.rejected,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        verdict
    }

    fn assignment(&self, data: &[u8]) -> Verdict {
        let now = clock::now();
        let verified = SignedAssignment::verify(data, &self.mesh, now, &self.registry);
        match verified.map(|signed| lock(&self.assignments).file(signed, now)) {
            Ok(Filed::New) => Verdict::Accept,
            Ok(Filed::Known | Filed::Full) => Verdict::Ignore,
            // A ledger that moves on reaches nodes at different times: the sender may know more than we.
            Err(
                AssignmentError::Expired
                | AssignmentError::FromTheFuture
                | AssignmentError::NotAValidator { .. }
                | AssignmentError::NotRegistered { .. },
            ) => Verdict::Ignore,
            Ok(Filed::Contradiction) | Err(_) => Verdict::Reject,
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

    /// Takes verified scores, of others or this node's own. False when they are no news.
    pub(crate) fn take(&self, signed: &SignedLiveScores) -> bool {
        let netuid = signed.scores().netuid;
        let mut said = lock(&self.said);
        let book = said.books.entry(netuid).or_insert_with(|| LiveScoreBook::new(netuid));
        let news = book.insert(signed, clock::now());
        if news {
            said.made = None;
        }
        news
    }

    /// The last block, and what the mesh thinks of every neuron by it and what was said since. Made anew when there is
    /// another block or somebody has said something; each question shares it.
    pub(crate) fn trusts(&self) -> (BlockHeight, Arc<TrustTable>) {
        let tip = self.registry.tip();
        let (height, state) = (tip.header.height, &tip.state);
        let mut said = lock(&self.said);
        if let Some((_, trusts)) = said.made.as_ref().filter(|(made, _)| *made == height) {
            return (height, trusts.clone());
        }
        said.books.retain(|netuid, book| {
            book.retain(&self.registry);
            state.subnets().contains_key(netuid)
        });
        let trusts = Arc::new(trusts(state, &said.books));
        said.made = Some((height, trusts.clone()));
        (height, trusts)
    }

    /// What became of what was heard.
    pub(crate) fn counters(&self) -> &OpinionCounters {
        &self.counters
    }
}

fn trusts(state: &LedgerState, books: &BTreeMap<Netuid, LiveScoreBook>) -> TrustTable {
    let now = clock::now();
    let stake = |node: &NodeId| state.nodes().get(node).map_or(0, |node| node.stake().base_units());
    let mut trusts = TrustTable::new();
    for (netuid, subnet) in state.subnets() {
        let opinions: BTreeMap<Registration, Opinion> =
            books.get(netuid).map(|book| book.opinions(stake, now)).unwrap_or_default();
        let largest = subnet.neurons.iter().map(|neuron| neuron.incentive).max().unwrap_or(0);
        for neuron in &subnet.neurons {
            let of = Registration { node: neuron.node, block: BlockHeight(neuron.registered) };
            // Before a subnet's first incentives, they say nothing about anybody.
            let incentive = (largest > 0).then_some((neuron.incentive, largest));
            trusts.insert((*netuid, neuron.node), Trust::new(incentive, opinions.get(&of).copied()));
        }
    }
    trusts
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
