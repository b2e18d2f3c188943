//! Traffic statistics: a gateway counts its users' queries and publishes the counts; validators draw tasks from them.
//!
//! The statistics also say which gateways there are: validators ask through them ([`super::forward`]). A task's questions
//! have the fields that the gateway counts through which they are asked. What it asks for validators has the budgets of its
//! users' last queries.
//!
//! What a hostile node can do: make us verify one signature per message that passed the network's own bounds. Only nodes
//! that the ledger knows and that are in no subnet count as gateways, each has one table, and the number is bounded.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use futures::FutureExt;
use nervure_ledger::spec::{Role, Scope};
use nervure_p2p::{NetworkHandle, TopicSpec, Verdict};
use nervure_primitives::{Amount, MeshId, NodeId, NodeKey, UnixMillis};
use nervure_protocol::{
    ExpertRequest, SignedTrafficStatistics, TrafficError, TrafficStatistics, topics::TRAFFIC,
};
use nervure_subnet::{
    Dice,
    task::{Traffic, TrafficCounter, draw_gateway},
};
use parking_lot::Mutex;
use rand::seq::IndexedRandom;
use tokio_util::sync::CancellationToken;

use super::{
    clock, gossip::TopicHandlers, metrics::VerdictCounters, registry::LedgerRegistry, validator::new_seed,
};

/// Gateways that are remembered. A full table takes no new ones until old ones are silent.
const MAX_GATEWAYS: usize = 64;

/// A gateway that was silent for so many of its intervals is not asked to forward.
const SILENT_INTERVALS: u32 = 3;

/// Budgets of users' queries that are remembered.
const MAX_BUDGETS: usize = 64;

/// The first counts are published after this part of the time that later ones take: until then validators know nothing.
const FIRST_COUNTS: u32 = 6;

/// How often a gateway says that it is there, and how long it counts before it publishes new counts: a new table has new
/// noise, and the mean of many would have none.
#[derive(Clone, Copy, Debug)]
struct Pace {
    announce: Duration,
    count: Duration,
}

impl Pace {
    fn of(scope: Scope) -> Self {
        match scope {
            Scope::Local => Self { announce: Duration::from_secs(5), count: Duration::from_secs(30) },
            // Long enough for clients with a few queries in an hour to show as what they are.
            Scope::Public => {
                Self { announce: Duration::from_secs(600), count: Duration::from_secs(6 * 3600) }
            }
        }
    }
}

/// The topic of this module.
pub(crate) fn topic() -> TopicSpec {
    TopicSpec::of(TRAFFIC)
}

/// Registers the handler of statistics.
pub(crate) fn register(topics: &mut TopicHandlers, traffic: &Arc<TrafficGossip>) {
    let traffic = traffic.clone();
    topics.register(TRAFFIC.name, move |message| {
        let verdict = traffic.handle_gossip(&message.data);
        message.judge(verdict).boxed()
    });
}

pub(crate) const TRAFFIC_COUNTERS: [(&str, &str); 3] = [
    ("traffic_accepted", "Traffic statistics of gateways accepted"),
    ("traffic_ignored", "Traffic statistics that were old, or not of a gateway"),
    ("traffic_rejected", "Traffic statistics that were invalid"),
];

/// This node's counts, and those of gateways.
pub(crate) struct TrafficGossip {
    key: NodeKey,
    mesh: MeshId,
    registry: LedgerRegistry,
    pace: Pace,
    counter: Mutex<TrafficCounter>,
    budgets: Mutex<VecDeque<Amount>>,
    received: Mutex<ReceivedStatistics>,
    counters: VerdictCounters,
}

/// A gateway through which a task is asked, and what its users' queries look like.
pub(crate) struct TaskSource {
    /// None where no gateway serves.
    pub(crate) gateway: Option<NodeId>,
    pub(crate) traffic: Arc<Traffic>,
}

#[derive(Default)]
struct ReceivedStatistics {
    gateways: BTreeMap<NodeId, (UnixMillis, TrafficStatistics)>,
}

impl TrafficGossip {
    /// Without counts.
    pub(crate) fn new(key: NodeKey, mesh: MeshId, registry: LedgerRegistry, scope: Scope) -> Self {
        let (counter, received) = (Mutex::default(), Mutex::default());
        Self {
            key,
            mesh,
            registry,
            pace: Pace::of(scope),
            counter,
            budgets: Mutex::default(),
            received,
            counters: VerdictCounters::default(),
        }
    }

    /// Counts a user's query of this node.
    pub(crate) fn count(&self, request: &ExpertRequest, deadline: Duration, budget: Amount) {
        self.counter.lock().count(request, deadline);
        let mut budgets = self.budgets.lock();
        budgets.push_back(budget);
        let surplus = budgets.len().saturating_sub(MAX_BUDGETS);
        budgets.drain(..surplus);
    }

    /// The budget of one of the last queries of this node's users; none before the first.
    pub(crate) fn budget(&self) -> Option<Amount> {
        self.budgets.lock().make_contiguous().choose(&mut rand::rng()).copied()
    }

    /// Publishes this gateway's counts at its pace, until `stop`.
    pub(crate) async fn publish(self: Arc<Self>, network: NetworkHandle, stop: CancellationToken) {
        let mut current = self.take_counts();
        let (mut counted, mut count) = (tokio::time::Instant::now(), self.pace.count / FIRST_COUNTS);
        while stop.run_until_cancelled(tokio::time::sleep(self.pace.announce)).await.is_some() {
            if counted.elapsed() >= count {
                (current, counted) = (self.take_counts(), tokio::time::Instant::now());
                count = self.pace.count;
            }
            let statistics = TrafficStatistics { issued_at: clock::now(), ..current.clone() };
            match SignedTrafficStatistics::sign(&self.key, &self.mesh, statistics) {
                Ok(signed) => {
                    if let Err(error) = network.publish(TRAFFIC.name, signed.bytes().to_vec()).await {
                        tracing::debug!(%error, "traffic statistics are not published");
                    }
                }
                Err(error) => tracing::error!(%error, "traffic statistics cannot be signed"),
            }
        }
    }

    fn take_counts(&self) -> TrafficStatistics {
        let seed = new_seed();
        self.counter.lock().publish(self.key.node_id(), clock::now(), seed)
    }

    fn handle_gossip(&self, data: &[u8]) -> Verdict {
        let verdict = self.judge(data);
        self.counters.count(verdict);
        verdict
    }

    fn judge(&self, data: &[u8]) -> Verdict {
        let now = clock::now();
        let signed = match SignedTrafficStatistics::verify(data, &self.mesh, now) {
            Ok(signed) => signed,
            Err(TrafficError::TooOld | TrafficError::FromTheFuture) => return Verdict::Ignore,
            Err(_) => return Verdict::Reject,
        };
        let statistics = signed.statistics();
        if self.registry.role(&statistics.gateway) != Some(Role::Gateway) {
            return Verdict::Ignore;
        }
        match self.received.lock().insert(statistics, now) {
            true => Verdict::Accept,
            false => Verdict::Ignore,
        }
    }

    /// A gateway for a task, by lot, with what it counts.
    pub(crate) fn source(&self) -> TaskSource {
        let serving = self.gateways();
        let received = self.received.lock();
        let tables: Vec<&TrafficStatistics> =
            serving.iter().filter_map(|node| received.gateways.get(node)).map(|(_, table)| table).collect();
        let drawn = draw_gateway(&tables, &mut Dice::new(new_seed()));
        TaskSource { gateway: drawn.map(|table| table.gateway), traffic: Arc::new(Traffic::new(drawn)) }
    }

    /// The gateways that are there.
    pub(crate) fn gateways(&self) -> Vec<NodeId> {
        let (now, longest) = (clock::now(), self.pace.announce * SILENT_INTERVALS);
        let received = self.received.lock();
        received
            .gateways
            .iter()
            .filter(|(_, (at, _))| now.since(*at) <= longest)
            .map(|(node, _)| *node)
            .collect()
    }

    /// What is counted about the messages.
    pub(crate) fn counters(&self) -> &VerdictCounters {
        &self.counters
    }
}

impl ReceivedStatistics {
    /// Keeps statistics that are newer than those of the same gateway.
    fn insert(&mut self, statistics: &TrafficStatistics, now: UnixMillis) -> bool {
        let gateway = statistics.gateway;
        if self.gateways.get(&gateway).is_some_and(|(_, known)| known.issued_at >= statistics.issued_at) {
            return false;
        }
        if !self.gateways.contains_key(&gateway) && self.gateways.len() >= MAX_GATEWAYS {
            let old = nervure_protocol::bounds::MAX_TRAFFIC_AGE;
            self.gateways.retain(|_, (_, known)| now.since(known.issued_at) < old);
            if self.gateways.len() >= MAX_GATEWAYS {
                return false;
            }
        }
        self.gateways.insert(gateway, (now, statistics.clone()));
        true
    }
}

#[cfg(test)]
mod tests {
    use nervure_subnet::Seed;

    use super::*;

    fn statistics(gateway: u16, issued_at: u64) -> TrafficStatistics {
        let mut bytes = [0; 32];
        bytes[..2].copy_from_slice(&gateway.to_be_bytes());
        TrafficCounter::default().publish(NodeId::from_bytes(bytes), UnixMillis(issued_at), Seed::from(1))
    }

    #[test]
    fn the_newest_statistics_of_a_bounded_number_of_gateways_count() {
        let (mut received, now) = (ReceivedStatistics::default(), UnixMillis(1_000_000));
        for gateway in 0..MAX_GATEWAYS as u16 {
            assert!(received.insert(&statistics(gateway, 1_000_000), now));
        }
        assert!(!received.insert(&statistics(0, 1_000_000), now), "known");
        assert!(received.insert(&statistics(0, 1_000_001), now));
        assert!(!received.insert(&statistics(999, 1_000_000), now), "full");
        let later = UnixMillis(1_000_001 + 25 * 3_600_000);
        assert!(received.insert(&statistics(999, later.0), later), "the others have been silent for a day");
        assert_eq!(received.gateways.len(), 1);
    }
}
