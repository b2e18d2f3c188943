//! The assignments that a node has received and that have not ended.
//!
//! Bounded, of each validator and in all. A full table refuses new ones: entries end by themselves, and no validator
//! can evict the assignments of others by setting more tasks.

use std::collections::BTreeMap;

use nervure_primitives::{Hash, NodeId, UnixMillis};

use nervure_protocol::SignedAssignment;

/// Upper bound for assignments.
pub const MAX_ASSIGNMENTS: usize = 16_384;

/// Upper bound for assignments of one validator.
pub const MAX_PER_VALIDATOR: usize = 64;

/// The outcome of inserting an assignment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AssignmentOutcome {
    /// It was not known.
    New,
    /// It was known.
    Known,
    /// The validator signed another assignment of the same task. The first one stays.
    Contradiction,
    /// The bound of the validator or of the table is reached.
    Full,
}

/// Assignments, by validator and task.
#[derive(Debug, Default)]
pub struct Assignments(BTreeMap<(NodeId, Hash), SignedAssignment>);

impl Assignments {
    /// Inserts a verified assignment.
    pub fn insert(&mut self, signed: SignedAssignment, now: UnixMillis) -> AssignmentOutcome {
        let (validator, task) = (signed.assignment().validator, signed.assignment().task);
        match self.0.get(&(validator, task)) {
            Some(known) if *known == signed => return AssignmentOutcome::Known,
            Some(_) => return AssignmentOutcome::Contradiction,
            None => {}
        }
        if !self.has_room(&validator) {
            self.expire(now);
        }
        if !self.has_room(&validator) {
            return AssignmentOutcome::Full;
        }
        self.0.insert((validator, task), signed);
        AssignmentOutcome::New
    }

    /// The assignment of a task.
    pub fn get(&self, validator: &NodeId, task: &Hash) -> Option<&SignedAssignment> {
        self.0.get(&(*validator, *task))
    }

    /// Drops assignments whose deadline has passed.
    pub fn expire(&mut self, now: UnixMillis) {
        self.0.retain(|_, signed| signed.assignment().deadline > now);
    }

    fn has_room(&self, validator: &NodeId) -> bool {
        // The smallest hash, so that the range begins with the first task of the validator.
        let first = (*validator, Hash::from_bytes([0; 32]));
        let own = self.0.range(first..).take_while(|((of, _), _)| of == validator).count();
        self.0.len() < MAX_ASSIGNMENTS && own < MAX_PER_VALIDATOR
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use nervure_primitives::Netuid;
    use nervure_protocol::Assignment;

    use super::*;
    use nervure_protocol::testing::{MESH, NOW, key};

    fn assignment(validator: u8, task: u64) -> Assignment {
        Assignment {
            netuid: Netuid(1),
            validator: key(validator).node_id(),
            task: Hash::of("task", &[&task.to_be_bytes()]),
            miners: {
                let mut miners = vec![key(10).node_id(), key(11).node_id()];
                miners.sort();
                miners
            },
            issued_at: NOW,
            deadline: NOW.plus(Duration::from_secs(20)),
        }
    }

    fn signed(validator: u8, assignment: Assignment) -> SignedAssignment {
        SignedAssignment::sign(&key(validator), &MESH, assignment).unwrap()
    }

    #[test]
    fn no_validator_evicts_others_and_ended_assignments_make_room() {
        let mut book = Assignments::default();
        for task in 0..MAX_PER_VALIDATOR as u64 {
            assert_eq!(book.insert(signed(1, assignment(1, task)), NOW), AssignmentOutcome::New);
        }
        assert_eq!(book.insert(signed(1, assignment(1, 999)), NOW), AssignmentOutcome::Full);
        assert_eq!(
            book.insert(signed(2, assignment(2, 999)), NOW),
            AssignmentOutcome::New,
            "another validator"
        );
        let later = NOW.plus(Duration::from_secs(20));
        let mut fresh = assignment(1, 999);
        fresh.deadline = later.plus(Duration::from_secs(20));
        assert_eq!(book.insert(signed(1, fresh), later), AssignmentOutcome::New);
        assert_eq!(book.0.len(), 1);
    }

    #[test]
    fn a_task_is_assigned_once() {
        let mut book = Assignments::default();
        let first = signed(1, assignment(1, 7));
        assert_eq!(book.insert(first.clone(), NOW), AssignmentOutcome::New);
        assert_eq!(book.insert(first.clone(), NOW), AssignmentOutcome::Known);
        let mut other = assignment(1, 7);
        other.miners.pop();
        assert_eq!(book.insert(signed(1, other), NOW), AssignmentOutcome::Contradiction);
        assert_eq!(book.get(&key(1).node_id(), &first.assignment().task), Some(&first));
    }
}
