//! One batch of tasks: drawn, committed to, asked, evaluated.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::{Duration, Instant},
};

use futures::{StreamExt, future::join_all, stream};
use nervure_primitives::{Capability, Netuid, NodeId};
use nervure_protocol::{
    Assignment, BATCH_LEAVES, SignedTaskBatch, bounds::MAX_MINERS, commitment, topics::TASK_BATCHES,
};
use nervure_subnet::{
    Dice, ScoredExpert,
    mechanism::{Corpus, Material, Mechanism, Reply, Task},
    score::evaluate,
    task::{BatchPlan, NewMiner, OpenBatch, draw_miners},
};
use parking_lot::Mutex;
use tracing::{
    Instrument, Span,
    field::{Empty, display},
};

use super::{
    Validator,
    ask::{EncodedTask, Pace},
    new_seed, reference,
    store::{TestedExpert, ValidatorStore},
};
use crate::runtime::clock;

/// Miners that are asked at once.
const MAX_CONCURRENT_MINERS: usize = 64;

/// The directories of a corpus with questions, instructions and answered prompts for any capability.
const FOR_ALL: [&str; 3] = ["questions", "instructions", "answered"];

/// From the last answer that counts to the opening of assignments.
const OPENING_DELAY: Duration = Duration::from_secs(1);

/// A batch that is due in a subnet.
#[derive(Clone, Copy, Debug)]
pub(super) struct DueBatch {
    /// The subnet.
    pub(super) netuid: Netuid,
    /// Its number: the height of the block at which it is due.
    pub(super) number: u64,
    /// When its questions are asked.
    pub(super) pace: Pace,
}

/// A task that was drawn, and whom it is for.
struct DrawnTask {
    task: Arc<dyn Task>,
    questions: EncodedTask,
    experts: Vec<TestedExpert>,
    span: Span,
}

impl Validator {
    /// Sets the tasks of a batch, one for each capability that experts claim, and scores them. Returns the batch, whose
    /// assignments are still to be opened.
    pub(super) async fn set_tasks(
        &self,
        due: DueBatch,
        mechanism: &Arc<dyn Mechanism>,
        store: &Mutex<ValidatorStore>,
    ) -> Option<OpenBatch> {
        let tested = store.lock().to_test(self.catalog.in_subnet(due.netuid), &mut Dice::new(new_seed()));
        let mut drawn = Vec::new();
        // A batch has room for so many; the groups of the next batch are drawn again, in an order of its own.
        let mut groups: Vec<_> = groups(tested).into_iter().collect();
        Dice::new(new_seed()).shuffle(&mut groups);
        for (capability, experts) in groups.into_iter().take(BATCH_LEAVES) {
            let experts = seated(experts, store, &mut Dice::new(new_seed()));
            drawn.extend(self.draw(due.netuid, mechanism, capability.as_ref(), experts).await);
        }
        let batch = self.batch(due, &drawn)?;
        // Before the first question: the batch commits to the tasks, so that this validator cannot change them after it
        // has read the answers.
        self.publish_batch(&batch).await;
        let tasks = drawn.into_iter().map(|drawn| {
            let span = drawn.span.clone();
            self.ask_and_score(due, drawn, store).instrument(span)
        });
        join_all(tasks).await;
        Some(batch)
    }

    /// Commits to a batch without tasks: batches come at a regular pace, whatever is asked.
    pub(super) fn empty_batch(&self, due: DueBatch) -> Option<SignedTaskBatch> {
        self.sign_batch(&self.batch(due, &[])?)
    }

    async fn publish_batch(&self, batch: &OpenBatch) {
        if let Some(signed) = self.sign_batch(batch) {
            self.assignments.handle_gossip(TASK_BATCHES.name, signed.bytes());
            self.publish(TASK_BATCHES.name, signed.bytes().to_vec()).await;
        }
    }

    fn sign_batch(&self, batch: &OpenBatch) -> Option<SignedTaskBatch> {
        let signed = SignedTaskBatch::sign(&self.key, &self.mesh, batch.batch().clone());
        signed.inspect_err(|error| tracing::error!(%error, "a batch of tasks cannot be signed")).ok()
    }

    /// Draws a task for a group of experts.
    async fn draw(
        &self,
        netuid: Netuid,
        mechanism: &Arc<dyn Mechanism>,
        capability: Option<&Capability>,
        experts: Vec<TestedExpert>,
    ) -> Option<DrawnTask> {
        let (span, seed) = (task_span(netuid, capability), new_seed());
        let reference = match mechanism.reference_model() {
            None => None,
            Some(tag) => match self.references.find(tag) {
                None => {
                    tracing::warn!(%netuid, tag, "no task can be set: give this validator the model, with --reference EXPERT");
                    return None;
                }
                found => found,
            },
        };
        let (corpus, source) = (self.texts(capability), self.traffic.source());
        let (mechanism, cells, traffic) = (mechanism.clone(), self.cells.clone(), source.traffic.clone());
        // Drawing from large texts takes long, and would block a thread of the runtime.
        let task = tokio::task::spawn_blocking(move || {
            // Held until the cells are retired, so that no other task draws the same ones.
            let mut cells = cells.lock();
            let retired = cells.retired();
            let task = mechanism
                .draw(seed.derive("task", 0), &Material { corpus: (*corpus).clone(), retired, traffic });
            if let Ok(task) = &task
                && let Err(error) = cells.retire(task.cells())
            {
                tracing::error!(%error, "no task is set: what it asks cannot be written down");
                return None;
            }
            Some(task)
        });
        let mut task = match task.await.ok()?? {
            Ok(task) => task,
            Err(error) => {
                tracing::warn!(%error, "no task can be set: give this validator texts, with --corpus DIR");
                return None;
            }
        };
        if let Some(model) = reference {
            let answers = reference::answers(model.as_ref(), task.requests()).await;
            task.set_reference(answers);
        }
        let task: Arc<dyn Task> = Arc::from(task);
        let questions =
            EncodedTask::of(task.requests(), source, &mut Dice::new(seed.derive("fields", 0))).ok()?;
        Some(DrawnTask { task, questions, experts, span })
    }

    /// The commitment to these tasks.
    fn batch(&self, due: DueBatch, drawn: &[DrawnTask]) -> Option<OpenBatch> {
        let (own, now, pace) = (self.own(), clock::now(), due.pace);
        let opens_at = now.plus(pace.spread + pace.wait + OPENING_DELAY);
        let deadline = now.plus(pace.spread + pace.wait);
        let assignment = |drawn: &DrawnTask| {
            let task = commitment((&own, due.netuid), drawn.task.requests(), new_seed().as_bytes()).ok()?;
            // In ascending order and each once, as the wire has them.
            let miners: BTreeSet<NodeId> = drawn.experts.iter().map(|one| one.expert.neuron.node).collect();
            drawn.span.record("task_id", display(&task)).record("miners", miners.len());
            Some(Assignment { task, miners: miners.into_iter().collect(), deadline })
        };
        let assignments = drawn.iter().map(assignment).collect::<Option<Vec<_>>>()?;
        let plan =
            BatchPlan { netuid: due.netuid, validator: own, number: due.number, issued_at: now, opens_at };
        OpenBatch::new(plan, assignments, new_seed()).ok()
    }

    /// Asks the experts of a task, and scores their answers.
    async fn ask_and_score(&self, due: DueBatch, drawn: DrawnTask, store: &Mutex<ValidatorStore>) {
        let (began, DrawnTask { task, questions, experts, .. }) = (Instant::now(), drawn);
        let asked = stream::iter(experts).map(|TestedExpert { expert, record }| {
            let questions = &questions;
            async move {
                match record {
                    Some(record) => (expert, questions.ask(self, &record, due.pace).await),
                    // No record, no answer: an expert that is not served any longer must not keep its average.
                    None => (expert, Vec::new()),
                }
            }
        });
        let answers: Vec<(ScoredExpert, Vec<Reply>)> =
            asked.buffer_unordered(MAX_CONCURRENT_MINERS).collect().await;
        // Pairs of miners are compared: that takes too long for a thread of the runtime.
        let results = tokio::task::spawn_blocking(move || evaluate(task.as_ref(), &answers)).await;
        let Ok(results) = results else { return };
        tracing::debug!("scored a task");
        let records = self.catalog.in_subnet(due.netuid);
        store.lock().record(results, records);
        self.metrics.task(began);
    }

    /// The texts for `capability` with what is for all; all texts when there are none for it.
    fn texts(&self, capability: Option<&Capability>) -> Arc<Corpus> {
        let fitting = capability.map(|capability| self.corpus.of(capability));
        let Some(fitting) = fitting.filter(|texts| !texts.documents().is_empty()) else {
            return self.corpus.clone();
        };
        let for_all = FOR_ALL.into_iter().filter_map(|directory| directory.parse().ok());
        let for_all: Vec<Corpus> = for_all.map(|directory| self.corpus.of(&directory)).collect();
        let for_all = for_all.iter().flat_map(Corpus::documents);
        Arc::new(Corpus::new(fitting.documents().iter().chain(for_all).cloned()))
    }
}

/// The span of a task. Its id and the number of miners are recorded when it is assigned.
fn task_span(netuid: Netuid, capability: Option<&Capability>) -> Span {
    tracing::info_span!("task", %netuid, capability = capability.map(display), task_id = Empty, miners = Empty)
}

/// Groups of experts that get the same task: those of one capability. Experts without a record form a group of their own.
fn groups(tested: Vec<TestedExpert>) -> BTreeMap<Option<Capability>, Vec<TestedExpert>> {
    let mut groups = BTreeMap::<_, Vec<_>>::new();
    for one in tested {
        let capability = one.record.as_ref().map(|record| record.capability.clone());
        groups.entry(capability).or_default().push(one);
    }
    groups
}

/// As many of `experts` as a task may have, newcomers first in a part of the places.
fn seated(experts: Vec<TestedExpert>, store: &Mutex<ValidatorStore>, dice: &mut Dice) -> Vec<TestedExpert> {
    let store = store.lock();
    let (mut new, mut known) = (Vec::new(), Vec::new());
    for (miner, one) in experts.iter().enumerate() {
        match store.tasks_of_new(&one.expert) {
            Some(tasks) => new.push(NewMiner { miner, tasks }),
            None => known.push(miner),
        }
    }
    let places: BTreeSet<usize> = draw_miners(&new, &known, MAX_MINERS, dice).into_iter().collect();
    experts.into_iter().enumerate().filter(|(at, _)| places.contains(at)).map(|(_, one)| one).collect()
}

#[cfg(test)]
mod tests {
    use nervure_primitives::BlockHeight;
    use nervure_protocol::testing::record;

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
    fn every_expert_of_a_node_gets_the_task_of_its_capability() {
        let tested = |seed: u8, expert: &str, capability: &str| {
            let record = record(seed, expert, capability);
            TestedExpert { expert: ScoredExpert::of(&record, BlockHeight(1)), record: Some(record) }
        };
        let gone = TestedExpert { record: None, ..tested(3, "a", "text") };
        let all = vec![
            tested(1, "a", "text.generate.rust"),
            tested(1, "b", "text.generate.rust"),
            tested(1, "c", "text.chat"),
            tested(2, "a", "text.chat"),
            gone,
        ];
        let sizes: Vec<_> = groups(all).into_values().map(|group| group.len()).collect();
        assert_eq!(sizes, [1, 2, 2], "the one without a record, chat, and Rust");
    }
}
