//! The batches of tasks that a node has received, and which of their assignments were opened.
//!
//! Bounded, of each validator and in all. A full table refuses new ones: entries end by themselves, and no validator
//! can evict the batches of others by announcing more. Of an opening only its place is kept: its content was checked
//! against the root, and a node that wants it stores the message.

use std::collections::BTreeMap;

use nervure_primitives::{Netuid, NodeId, UnixMillis};
use nervure_protocol::{
    AssignmentError, AssignmentOpening, SignedTaskBatch, TaskBatch, bounds::MAX_TASK_TIME,
};

/// Upper bound for batches.
pub const MAX_BATCHES: usize = 16_384;

/// Upper bound for batches of one validator: in all its subnets, those that run and those that were opened.
pub const MAX_PER_VALIDATOR: usize = 256;

/// The outcome of inserting a batch or an opening.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AssignmentOutcome {
    /// It was not known.
    New,
    /// It was known.
    Known,
    /// The validator signed another batch of the same number. The first one stays.
    Contradiction,
    /// The bound of the validator or of the table is reached.
    Full,
    /// The batch of an opening is not known here.
    NoSuchBatch,
}

/// Batches, by validator, subnet and number.
#[derive(Debug, Default)]
pub struct Assignments(BTreeMap<BatchKey, ReceivedBatch>);

/// In this order, so that the batches of a validator are a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct BatchKey {
    validator: NodeId,
    netuid: Netuid,
    number: u64,
}

#[derive(Debug)]
struct ReceivedBatch {
    signed: SignedTaskBatch,
    /// One bit for each leaf that was opened.
    opened: u32,
}

impl Assignments {
    /// Inserts a verified batch.
    pub fn insert(&mut self, signed: SignedTaskBatch, now: UnixMillis) -> AssignmentOutcome {
        let batch = signed.batch();
        let TaskBatch { validator, netuid, number, .. } = *batch;
        let key = BatchKey { validator, netuid, number };
        match self.0.get(&key) {
            Some(known) if known.signed == signed => return AssignmentOutcome::Known,
            Some(_) => return AssignmentOutcome::Contradiction,
            None => {}
        }
        if !self.has_room(&validator) {
            self.expire(now);
        }
        if !self.has_room(&validator) {
            return AssignmentOutcome::Full;
        }
        self.0.insert(key, ReceivedBatch { signed, opened: 0 });
        AssignmentOutcome::New
    }

    /// Checks an opening against its batch, and notes it.
    ///
    /// # Errors
    /// When the batch did not commit to it, or has not ended.
    pub fn open(
        &mut self,
        opening: &AssignmentOpening,
        now: UnixMillis,
    ) -> Result<AssignmentOutcome, AssignmentError> {
        let AssignmentOpening { validator, netuid, batch: number, .. } = *opening;
        let key = BatchKey { validator, netuid, number };
        let Some(known) = self.0.get_mut(&key) else { return Ok(AssignmentOutcome::NoSuchBatch) };
        let bit = 1u32.checked_shl(opening.index.into()).unwrap_or(0);
        // Before the hashes: a replayed opening costs a look-up.
        if known.opened & bit != 0 {
            return Ok(AssignmentOutcome::Known);
        }
        opening.verify(known.signed.batch(), now)?;
        known.opened |= bit;
        Ok(AssignmentOutcome::New)
    }

    /// The batch of that number.
    pub fn get(&self, validator: &NodeId, netuid: Netuid, number: u64) -> Option<&SignedTaskBatch> {
        self.0.get(&BatchKey { validator: *validator, netuid, number }).map(|known| &known.signed)
    }

    /// Drops batches that ended long enough ago that their openings have arrived.
    pub fn expire(&mut self, now: UnixMillis) {
        self.0.retain(|_, known| known.signed.batch().opens_at.plus(MAX_TASK_TIME) > now);
    }

    fn has_room(&self, validator: &NodeId) -> bool {
        let end = |netuid, number| BatchKey { validator: *validator, netuid: Netuid(netuid), number };
        let own = self.0.range(end(0, 0)..=end(u16::MAX, u64::MAX)).count();
        self.0.len() < MAX_BATCHES && own < MAX_PER_VALIDATOR
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use nervure_primitives::{BlockHeight, Hash};
    use nervure_protocol::{
        Neurons,
        testing::{MESH, NOW, key},
    };

    use super::*;
    use crate::{
        Seed,
        task::{BatchPlan, OpenBatch},
    };

    struct AllowAll;

    impl Neurons for AllowAll {
        fn may_validate(&self, _: &NodeId, _: Netuid) -> bool {
            true
        }

        fn registered_at(&self, _: &NodeId, _: Netuid) -> Option<BlockHeight> {
            Some(BlockHeight(1))
        }
    }

    fn opens_at() -> UnixMillis {
        NOW.plus(Duration::from_secs(20))
    }

    fn signed(validator: u8, number: u64) -> SignedTaskBatch {
        let batch = TaskBatch {
            netuid: Netuid(1),
            validator: key(validator).node_id(),
            number,
            root: Hash::of("root", &[&number.to_be_bytes()]),
            issued_at: NOW,
            opens_at: opens_at(),
        };
        SignedTaskBatch::sign(&key(validator), &MESH, batch).unwrap()
    }

    #[test]
    fn no_validator_evicts_others_and_ended_batches_make_room() {
        let mut book = Assignments::default();
        for number in 0..MAX_PER_VALIDATOR as u64 {
            assert_eq!(book.insert(signed(1, number), NOW), AssignmentOutcome::New);
        }
        assert_eq!(book.insert(signed(1, 999), NOW), AssignmentOutcome::Full);
        assert_eq!(book.insert(signed(2, 999), NOW), AssignmentOutcome::New, "another validator");
        let later = opens_at().plus(MAX_TASK_TIME);
        assert_eq!(book.insert(signed(1, 999), later), AssignmentOutcome::New);
        assert_eq!(book.0.len(), 1);
    }

    #[test]
    fn a_batch_has_one_root() {
        let mut book = Assignments::default();
        assert_eq!(book.insert(signed(1, 7), NOW), AssignmentOutcome::New);
        assert_eq!(book.insert(signed(1, 7), NOW), AssignmentOutcome::Known);
        let other = TaskBatch { root: Hash::of("other", &[]), ..signed(1, 7).batch().clone() };
        let other = SignedTaskBatch::sign(&key(1), &MESH, other).unwrap();
        assert_eq!(book.insert(other, NOW), AssignmentOutcome::Contradiction);
        assert_eq!(book.get(&key(1).node_id(), Netuid(1), 7), Some(&signed(1, 7)));
    }

    #[test]
    fn an_opening_counts_once_and_only_with_its_batch() {
        let plan = BatchPlan {
            netuid: Netuid(1),
            validator: key(1).node_id(),
            number: 7,
            issued_at: NOW,
            opens_at: opens_at(),
        };
        let assignment = nervure_protocol::Assignment {
            task: Hash::of("task", &[]),
            miners: vec![key(9).node_id()],
            deadline: opens_at(),
        };
        let batch = OpenBatch::new(plan, vec![assignment], Seed::from(1)).unwrap();
        let signed = SignedTaskBatch::sign(&key(1), &MESH, batch.batch().clone()).unwrap();
        let signed = SignedTaskBatch::verify(signed.bytes(), &MESH, NOW, &AllowAll).unwrap();
        let openings = batch.openings();
        let [opening] = openings.as_slice() else { panic!("one assignment") };
        let mut book = Assignments::default();
        assert_eq!(book.open(opening, opens_at()), Ok(AssignmentOutcome::NoSuchBatch));
        book.insert(signed, NOW);
        assert!(matches!(book.open(opening, UnixMillis(NOW.0 - 20_000)), Err(AssignmentError::TooEarly)));
        assert_eq!(book.open(opening, opens_at()), Ok(AssignmentOutcome::New));
        assert_eq!(book.open(opening, opens_at()), Ok(AssignmentOutcome::Known));
        let mut forged = opening.clone();
        (forged.index, forged.assignment.miners) = (1, vec![key(8).node_id()]);
        assert_eq!(book.open(&forged, opens_at()), Err(AssignmentError::NotCommitted));
    }
}
