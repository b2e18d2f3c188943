//! A validator's own batch: the assignments behind its root, which only this validator can open.

use nervure_primitives::{Hash, Netuid, NodeId, UnixMillis, cbor::CborError};
use nervure_protocol::{Assignment, AssignmentOpening, BATCH_LEAVES, TaskBatch, TaskTree};

use crate::Seed;

/// What a batch says beside its root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchPlan {
    /// The subnet.
    pub netuid: Netuid,
    /// The validator.
    pub validator: NodeId,
    /// Its number.
    pub number: u64,
    /// When it is published, before the first question.
    pub issued_at: UnixMillis,
    /// When its assignments are opened, after the last answer.
    pub opens_at: UnixMillis,
}

/// A batch whose assignments are still to be opened. Secret until then, so it has no `Debug`.
pub struct OpenBatch {
    batch: TaskBatch,
    tree: TaskTree,
    assignments: Vec<(Hash, Assignment)>,
}

impl OpenBatch {
    /// A batch of at most [`BATCH_LEAVES`] assignments, or of none. `seed` is the validator's secret: it makes the salts
    /// and the leaves without an assignment.
    ///
    /// # Errors
    /// None in practice: assignments always encode.
    pub fn new(plan: BatchPlan, assignments: Vec<Assignment>, seed: Seed) -> Result<Self, CborError> {
        let BatchPlan { netuid, validator, number, issued_at, opens_at } = plan;
        let drawn = |purpose, at: usize| Hash::from_bytes(*seed.derive(purpose, at as u64).as_bytes());
        let assignments: Vec<_> = assignments
            .into_iter()
            .take(BATCH_LEAVES)
            .enumerate()
            .map(|(at, assignment)| (drawn("salt", at), assignment))
            .collect();
        let root = Hash::from_bytes([0; 32]);
        let mut batch = TaskBatch { netuid, validator, number, root, issued_at, opens_at };
        let leaves: Result<Vec<Hash>, CborError> =
            assignments.iter().map(|(salt, assignment)| batch.leaf(assignment, salt)).collect();
        let tree = TaskTree::new(leaves?, |at| drawn("filler", at));
        batch.root = tree.root();
        Ok(Self { batch, tree, assignments })
    }

    /// What is published before the questions.
    pub fn batch(&self) -> &TaskBatch {
        &self.batch
    }

    /// What is published after the answers.
    pub fn openings(&self) -> Vec<AssignmentOpening> {
        let opening = |(index, (salt, assignment)): (u8, &(Hash, Assignment))| AssignmentOpening {
            netuid: self.batch.netuid,
            validator: self.batch.validator,
            batch: self.batch.number,
            index,
            salt: *salt,
            assignment: assignment.clone(),
            path: self.tree.path(index),
        };
        (0u8..).zip(&self.assignments).map(opening).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use nervure_protocol::testing::{NOW, key};

    use super::*;

    fn plan() -> BatchPlan {
        let opens_at = NOW.plus(Duration::from_secs(20));
        BatchPlan { netuid: Netuid(1), validator: key(1).node_id(), number: 3, issued_at: NOW, opens_at }
    }

    fn assignment(number: u64) -> Assignment {
        let (task, deadline) = (Hash::of("task", &[&number.to_be_bytes()]), plan().opens_at);
        Assignment { task, miners: vec![key(9).node_id()], deadline }
    }

    #[test]
    fn every_assignment_can_be_opened() {
        let all: Vec<_> = (0..BATCH_LEAVES as u64 + 5).map(assignment).collect();
        let batch = OpenBatch::new(plan(), all.clone(), Seed::from(1)).unwrap();
        let openings = batch.openings();
        assert_eq!(openings.len(), BATCH_LEAVES, "as many as there is room for");
        for (opening, assignment) in openings.iter().zip(all) {
            assert_eq!(opening.assignment, assignment);
            assert_eq!(opening.verify(batch.batch(), plan().opens_at), Ok(()));
        }
    }

    #[test]
    fn the_same_assignments_have_another_root_under_another_secret() {
        let root = |seed: u64, assignments| {
            OpenBatch::new(plan(), assignments, Seed::from(seed)).unwrap().batch().root
        };
        assert_ne!(root(1, vec![assignment(1)]), root(2, vec![assignment(1)]));
        assert_ne!(root(1, vec![]), root(2, vec![]), "an empty batch cannot be recognised by its root");
    }
}
