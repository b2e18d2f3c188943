//! Validators' batches of tasks and the openings of their assignments, from gossip.
//!
//! What a hostile node can do: make us verify one signature, or one path of hashes, per message that passed the network's
//! own bounds. The table is bounded, of each validator and in all.

use std::sync::Arc;

use futures::FutureExt;
use nervure_p2p::{TopicSpec, Verdict};
use nervure_primitives::MeshId;
use nervure_protocol::{
    AssignmentError, AssignmentOpening, SignedTaskBatch,
    topics::{ASSIGNMENTS, TASK_BATCHES},
};
use nervure_subnet::task::{AssignmentOutcome, Assignments};
use parking_lot::Mutex;
use prometheus_client::{metrics::counter::Counter, registry::Registry};

use super::{clock, gossip::TopicHandlers, registry::LedgerRegistry};

/// The topics of this module.
pub(crate) fn topics() -> [TopicSpec; 2] {
    [TopicSpec::of(TASK_BATCHES), TopicSpec::of(ASSIGNMENTS)]
}

/// Registers the handlers of batches and openings.
pub(crate) fn register(topics: &mut TopicHandlers, assignments: &Arc<AssignmentGossip>) {
    for topic in [TASK_BATCHES, ASSIGNMENTS] {
        let assignments = assignments.clone();
        topics.register(topic.name, move |message| {
            let verdict = assignments.handle_gossip(topic.name, &message.data);
            message.judge(verdict).boxed()
        });
    }
}

/// How many messages were accepted, ignored and rejected.
#[derive(Clone, Debug, Default)]
pub(crate) struct AssignmentMetrics {
    /// Accepted batches.
    batches: Counter,
    /// Accepted openings.
    openings: Counter,
    /// Early, late, already known, or beyond a bound.
    ignored: Counter,
    /// Invalid in themselves.
    rejected: Counter,
}

impl AssignmentMetrics {
    /// Registers all of them.
    pub(crate) fn register(&self, registry: &mut Registry) {
        let counters = [
            (
                "task_batches_accepted",
                "Commitments of validators to batches of tasks accepted",
                &self.batches,
            ),
            ("assignments_accepted", "Openings of validators' assignments accepted", &self.openings),
            (
                "assignments_ignored",
                "Batches and openings that were early, late or already known",
                &self.ignored,
            ),
            ("assignments_rejected", "Batches and openings that were invalid", &self.rejected),
        ];
        for (name, help, counter) in counters {
            registry.register(name, help, counter.clone());
        }
    }
}

/// Validators' batches, and what was opened of them.
pub(crate) struct AssignmentGossip {
    mesh: MeshId,
    registry: LedgerRegistry,
    table: Mutex<Assignments>,
    metrics: AssignmentMetrics,
}

impl AssignmentGossip {
    /// Without batches.
    pub(crate) fn new(mesh: MeshId, registry: LedgerRegistry) -> Self {
        Self { mesh, registry, table: Mutex::default(), metrics: AssignmentMetrics::default() }
    }

    /// Judges a message of one of the topics.
    pub(crate) fn handle_gossip(&self, topic: &str, data: &[u8]) -> Verdict {
        let (verdict, accepted) = match topic {
            _ if topic == TASK_BATCHES.name => (self.batch(data), &self.metrics.batches),
            _ => (self.opening(data), &self.metrics.openings),
        };
        let counter = match verdict {
            Verdict::Accept => accepted,
            Verdict::Ignore => &self.metrics.ignored,
            Verdict::Reject => &self.metrics.rejected,
        };
        counter.inc();
        verdict
    }

    fn batch(&self, data: &[u8]) -> Verdict {
        let now = clock::now();
        let verified = SignedTaskBatch::verify(data, &self.mesh, now, &self.registry);
        verdict(verified.map(|signed| self.table.lock().insert(signed, now)))
    }

    fn opening(&self, data: &[u8]) -> Verdict {
        let now = clock::now();
        let decoded = AssignmentOpening::decode(data);
        verdict(decoded.and_then(|opening| self.table.lock().open(&opening, now)))
    }

    /// What is counted about the messages.
    pub(crate) fn metrics(&self) -> &AssignmentMetrics {
        &self.metrics
    }
}

fn verdict(outcome: Result<AssignmentOutcome, AssignmentError>) -> Verdict {
    match outcome {
        Ok(AssignmentOutcome::New) => Verdict::Accept,
        // A batch that arrives after its opening does so through no fault of the sender.
        Ok(AssignmentOutcome::Known | AssignmentOutcome::Full | AssignmentOutcome::NoSuchBatch) => {
            Verdict::Ignore
        }
        // A new block reaches nodes at different times: the sender may know a later one than this node. Clocks differ.
        Err(
            AssignmentError::Expired
            | AssignmentError::FromTheFuture
            | AssignmentError::TooEarly
            | AssignmentError::NotAValidator { .. },
        ) => Verdict::Ignore,
        // Its validator's fault, and not the sender's, which may have received the other batch first. With a rejection, a
        // validator that signs two could make honest nodes silence each other.
        Ok(AssignmentOutcome::Contradiction) | Err(AssignmentError::NotCommitted) => Verdict::Ignore,
        Err(_) => Verdict::Reject,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_validator_signs_twice_is_not_held_against_who_forwards_it() {
        assert_eq!(verdict(Ok(AssignmentOutcome::Contradiction)), Verdict::Ignore);
        assert_eq!(verdict(Err(AssignmentError::NotCommitted)), Verdict::Ignore);
        assert_eq!(verdict(Err(AssignmentError::NotItsOwn)), Verdict::Reject);
    }
}
