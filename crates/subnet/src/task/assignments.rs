//! The assignments that a node has heard of and that have not ended.
//!
//! Bounded, of each validator and in all. A full book refuses newcomers: what is in it ends by itself, and nobody can
//! push others' assignments out by setting more tasks.

use std::collections::BTreeMap;

use nervure_primitives::{Hash, NodeId, UnixMillis};

use super::SignedAssignment;

/// Most assignments at once.
pub const MAX_ASSIGNMENTS: usize = 16_384;

/// Most assignments of one validator at once.
pub const MAX_PER_VALIDATOR: usize = 64;

/// What became of an assignment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filed {
    /// It was not known.
    New,
    /// It was.
    Known,
    /// Another one by the same validator for the same task: it contradicts itself. The first one stays.
    Contradiction,
    /// No room, for this validator or for anybody.
    Full,
}

/// Assignments, by validator and task.
#[derive(Debug, Default)]
pub struct Assignments(BTreeMap<(NodeId, Hash), SignedAssignment>);

impl Assignments {
    /// Files a verified assignment.
    pub fn file(&mut self, signed: SignedAssignment, now: UnixMillis) -> Filed {
        let (validator, task) = (signed.assignment().validator, signed.assignment().task);
        match self.0.get(&(validator, task)) {
            Some(known) if *known == signed => return Filed::Known,
            Some(_) => return Filed::Contradiction,
            None => {}
        }
        if !self.has_room(&validator) {
            self.expire(now);
        }
        if !self.has_room(&validator) {
            return Filed::Full;
        }
        self.0.insert((validator, task), signed);
        Filed::New
    }

    /// The assignment of a task.
    pub fn get(&self, validator: &NodeId, task: &Hash) -> Option<&SignedAssignment> {
        self.0.get(&(*validator, *task))
    }

    /// Drops what has ended.
    pub fn expire(&mut self, now: UnixMillis) {
        self.0.retain(|_, signed| signed.assignment().deadline > now);
    }

    fn has_room(&self, validator: &NodeId) -> bool {
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
    use crate::testing::{MESH, NOW, key};

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
    fn nobody_pushes_others_out_and_room_comes_by_itself() {
        let mut book = Assignments::default();
        for task in 0..MAX_PER_VALIDATOR as u64 {
            assert_eq!(book.file(signed(1, assignment(1, task)), NOW), Filed::New);
        }
        assert_eq!(book.file(signed(1, assignment(1, 999)), NOW), Filed::Full);
        assert_eq!(book.file(signed(2, assignment(2, 999)), NOW), Filed::New, "another validator");
        let later = NOW.plus(Duration::from_secs(20));
        let mut fresh = assignment(1, 999);
        fresh.deadline = later.plus(Duration::from_secs(20));
        assert_eq!(book.file(signed(1, fresh), later), Filed::New);
        assert_eq!(book.0.len(), 1);
    }

    #[test]
    fn a_task_is_assigned_once() {
        let mut book = Assignments::default();
        let first = signed(1, assignment(1, 7));
        assert_eq!(book.file(first.clone(), NOW), Filed::New);
        assert_eq!(book.file(first.clone(), NOW), Filed::Known);
        let mut other = assignment(1, 7);
        other.miners.pop();
        assert_eq!(book.file(signed(1, other), NOW), Filed::Contradiction);
        assert_eq!(book.get(&key(1).node_id(), &first.assignment().task), Some(&first));
    }
}
