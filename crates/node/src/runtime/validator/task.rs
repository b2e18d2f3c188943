//! One task: drawn, assigned, asked, evaluated.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Instant,
};

use futures::{StreamExt, future::join_all, stream};
use nervure_primitives::{Capability, Hash, Netuid, NodeId};
use nervure_protocol::{
    Assignment, ExpertRecord, SignedAssignment, bounds::MAX_MINERS, commitment, topics::ASSIGNMENTS,
};
use nervure_subnet::{
    Dice, IndexSearch,
    mechanism::{Corpus, Mechanism, Reply, Task},
    score::evaluate,
};
use parking_lot::Mutex;
use tracing::{
    Instrument, Span,
    field::{Empty, display},
};

use super::{Validator, ask::EncodedRequests, new_seed, store::ValidatorStore};
use crate::runtime::clock;

/// Miners that are asked at once.
const MAX_CONCURRENT_MINERS: usize = 64;

impl Validator {
    /// Sets tasks in `netuid`, one for each capability that a miner claims, and scores them. False when there was no
    /// miner to set a task.
    pub(super) async fn set_tasks(
        &self,
        netuid: Netuid,
        mechanism: &Arc<dyn Mechanism>,
        store: &Mutex<ValidatorStore>,
    ) -> bool {
        let records = self.records(netuid);
        let tested = store.lock().to_test(|node| records.contains_key(node));
        let tasks = groups(tested, &records).into_iter().map(|(capability, miners)| {
            let span = task_span(netuid, capability.as_ref());
            let group = MinerGroup { capability, miners, records: &records };
            self.set_task(netuid, mechanism.clone(), store, group).instrument(span)
        });
        join_all(tasks).await.contains(&true)
    }

    /// Sets one task to a group of miners, and scores it.
    async fn set_task(
        &self,
        netuid: Netuid,
        mechanism: Arc<dyn Mechanism>,
        store: &Mutex<ValidatorStore>,
        group: MinerGroup<'_>,
    ) -> bool {
        let MinerGroup { capability, miners, records } = group;
        let (began, seed) = (Instant::now(), new_seed());
        let miners = choose(miners, &mut Dice::new(seed));
        let (texts, drawn) = (self.texts(capability.as_ref()), seed.derive("task", 0));
        // Drawing from large texts takes long, and would block a thread of the runtime.
        let task = tokio::task::spawn_blocking(move || mechanism.draw(drawn, &texts)).await;
        let task: Arc<dyn Task> = match task {
            Ok(Ok(task)) => Arc::from(task),
            Ok(Err(error)) => {
                tracing::warn!(%error, "no task can be set: give this validator texts, with --corpus STORE_DIR");
                return false;
            }
            Err(_) => return false,
        };
        let Ok(bodies) = EncodedRequests::of(task.requests()) else { return false };
        let Some(assignment) = self.assignment(netuid, task.as_ref(), miners.clone()) else { return false };
        let span = Span::current();
        span.record("task_id", display(&assignment.assignment().task)).record("miners", miners.len());
        // Before the first question: the assignment commits to the task, so that this validator cannot change
        // it after it has read the answers.
        self.score_gossip.handle_gossip(ASSIGNMENTS.name, assignment.bytes());
        self.publish(ASSIGNMENTS.name, assignment.bytes().to_vec()).await;

        let until = Instant::now() + self.task_time();
        let asked = stream::iter(miners).map(|miner| {
            let (record, bodies) = (records.get(&miner), &bodies);
            async move {
                match record {
                    Some(record) => (miner, bodies.ask(self, record, until).await),
                    // No record, no answer: a miner that stopped serving must not keep its average.
                    None => (miner, Vec::new()),
                }
            }
        });
        let answers: Vec<(NodeId, Vec<Reply>)> =
            asked.buffer_unordered(MAX_CONCURRENT_MINERS).collect().await;
        // Pairs of miners are compared: that takes too long for a thread of the runtime.
        let results = tokio::task::spawn_blocking(move || evaluate(task.as_ref(), &answers)).await;
        let Ok(results) = results else { return false };
        tracing::debug!("scored a task");
        let stored = store.lock().record(&results);
        self.metrics.task(began);
        stored
    }

    /// The texts for `capability`; all texts when there are none for it.
    fn texts(&self, capability: Option<&Capability>) -> Arc<Corpus> {
        let fitting = capability.map(|capability| self.corpus.of(capability));
        let fitting = fitting.filter(|texts| !texts.documents().is_empty());
        fitting.map_or_else(|| self.corpus.clone(), Arc::new)
    }

    /// The expert that each node would be asked by, in `netuid`: the first by name.
    fn records(&self, netuid: Netuid) -> BTreeMap<NodeId, ExpertRecord> {
        let find = IndexSearch { netuid: Some(netuid), limit: usize::MAX, ..IndexSearch::default() };
        let mut records = BTreeMap::new();
        for record in self.catalog.find(&find).records {
            records.entry(record.node).or_insert(record);
        }
        records
    }

    fn assignment(&self, netuid: Netuid, task: &dyn Task, miners: Vec<NodeId>) -> Option<SignedAssignment> {
        let (own, now) = (self.own(), clock::now());
        let task: Hash = commitment((&own, netuid), task.requests(), new_seed().as_bytes()).ok()?;
        let deadline = now.plus(self.task_time());
        let assignment = Assignment { netuid, validator: own, task, miners, issued_at: now, deadline };
        SignedAssignment::sign(&self.key, &self.mesh, assignment).ok()
    }
}

/// The span of a task. Its id and the number of miners are recorded when it is assigned.
fn task_span(netuid: Netuid, capability: Option<&Capability>) -> Span {
    tracing::info_span!("task", %netuid, capability = capability.map(display), task_id = Empty, miners = Empty)
}

/// Miners that get the same task, and the records of all miners.
struct MinerGroup<'a> {
    capability: Option<Capability>,
    miners: BTreeSet<NodeId>,
    records: &'a BTreeMap<NodeId, ExpertRecord>,
}

/// Groups of miners that get the same task: those that claim the same capability. Miners without a record form a group
/// of their own.
fn groups(
    miners: BTreeSet<NodeId>,
    records: &BTreeMap<NodeId, ExpertRecord>,
) -> BTreeMap<Option<Capability>, BTreeSet<NodeId>> {
    let mut groups = BTreeMap::<_, BTreeSet<_>>::new();
    for miner in miners {
        let capability = records.get(&miner).map(|record| record.capability.clone());
        groups.entry(capability).or_default().insert(miner);
    }
    groups
}

/// As many of `miners` as a task may have, in ascending order.
fn choose(miners: BTreeSet<NodeId>, dice: &mut Dice) -> Vec<NodeId> {
    let mut miners: Vec<NodeId> = miners.into_iter().collect();
    if miners.len() > MAX_MINERS {
        dice.shuffle(&mut miners);
        miners.truncate(MAX_MINERS);
        miners.sort_unstable();
    }
    miners
}

#[cfg(test)]
mod tests {
    use nervure_primitives::NodeKey;

    use super::*;
    use crate::runtime::chain::span::keep_spans_on;

    #[test]
    fn the_span_of_a_task_has_the_fields_of_the_docs() {
        keep_spans_on();
        let span = task_span(Netuid(1), Some(&"text.generate".parse().unwrap()));
        let metadata = span.metadata().unwrap();
        let fields: Vec<_> = metadata.fields().iter().map(|field| field.name()).collect();
        assert_eq!((metadata.name(), fields), ("task", vec!["netuid", "capability", "task_id", "miners"]));
    }

    #[test]
    fn draws_at_most_max_miners_and_over_time_all() {
        let all_miners: BTreeSet<_> = (0..100).map(|n| NodeKey::from_seed(&[n; 32]).node_id()).collect();
        let drawn = |seed: u64| choose(all_miners.clone(), &mut Dice::new(seed.into()));
        assert_eq!(drawn(1).len(), MAX_MINERS);
        assert!(drawn(1).is_sorted());
        let seen: BTreeSet<_> = (0..20).flat_map(drawn).collect();
        assert_eq!(seen, all_miners);
    }
}
