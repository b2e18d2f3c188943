//! Which batches and openings are valid.

use std::time::Duration;

use nervure_primitives::{BlockHeight, Domain};

use super::*;
use crate::testing::{MESH, NOW, key};

/// Nodes 1 and 2 are validators.
struct TwoValidators;

impl Neurons for TwoValidators {
    fn may_validate(&self, node: &NodeId, netuid: Netuid) -> bool {
        netuid == Netuid(1) && [1, 2].iter().any(|seed| key(*seed).node_id() == *node)
    }

    fn registered_at(&self, _: &NodeId, _: Netuid) -> Option<BlockHeight> {
        Some(BlockHeight(5))
    }
}

fn nodes(seeds: std::ops::Range<u8>) -> Vec<NodeId> {
    let mut nodes: Vec<_> = seeds.map(|seed| key(seed).node_id()).collect();
    nodes.sort();
    nodes
}

const OPENS_AT: UnixMillis = UnixMillis(NOW.0 + 60_000);

fn requests() -> Vec<ExpertRequest> {
    vec![ExpertRequest::Distribution { context: b"fn main".to_vec() }]
}

fn assignment() -> Assignment {
    let validator = key(1).node_id();
    Assignment {
        task: commitment((&validator, Netuid(1)), &requests(), &[7; 32]).unwrap(),
        miners: nodes(10..13),
        deadline: NOW.plus(Duration::from_secs(20)),
    }
}

fn salt() -> Hash {
    Hash::of("salt", &[])
}

/// A batch with one assignment in it, and the opening.
fn opened(assignment: Assignment) -> (TaskBatch, AssignmentOpening) {
    let mut batch = TaskBatch {
        netuid: Netuid(1),
        validator: key(1).node_id(),
        number: 9,
        root: salt(),
        issued_at: NOW,
        opens_at: OPENS_AT,
    };
    let leaf = batch.leaf(&assignment, &salt()).unwrap();
    let tree = TaskTree::new([leaf], |number| Hash::of("filler", &[&number.to_be_bytes()]));
    batch.root = tree.root();
    let (netuid, validator) = (batch.netuid, batch.validator);
    let opening = AssignmentOpening {
        netuid,
        validator,
        batch: 9,
        index: 0,
        salt: salt(),
        assignment,
        path: tree.path(0),
    };
    (batch, opening)
}

fn batch() -> TaskBatch {
    opened(assignment()).0
}

fn verified(signer: u8, change: impl FnOnce(&mut TaskBatch)) -> Result<SignedTaskBatch, AssignmentError> {
    let mut batch = batch();
    change(&mut batch);
    let bytes = Envelope::seal(&key(signer), domains::TASK_BATCH, &MESH, &batch).unwrap().encode().unwrap();
    SignedTaskBatch::verify(&bytes, &MESH, NOW, &TwoValidators)
}

#[test]
fn a_batch_shows_neither_miners_nor_content_nor_how_many_tasks_it_has() {
    let (some, none) = (batch(), TaskBatch { root: TaskTree::new([], |_| salt()).root(), ..batch() });
    let bytes = |batch| SignedTaskBatch::sign(&key(1), &MESH, batch).unwrap().bytes().to_vec();
    let (some, none) = (bytes(some), bytes(none));
    assert_eq!(some.len(), none.len());
    let miner = key(10).node_id();
    assert!(!some.windows(32).any(|window| window == miner.as_bytes()));
    assert!(!some.windows(7).any(|window| window == b"fn main"));
}

#[test]
fn an_opening_proves_what_was_committed_and_nothing_else() {
    let (batch, opening) = opened(assignment());
    let bytes = opening.encode().unwrap();
    let opening = AssignmentOpening::decode(&bytes).unwrap();
    assert_eq!(opening.verify(&batch, OPENS_AT), Ok(()));
    let changed = |change: fn(&mut AssignmentOpening)| {
        let mut changed = opening.clone();
        change(&mut changed);
        changed.verify(&batch, OPENS_AT).unwrap_err()
    };
    assert_eq!(changed(|o| o.assignment.miners = nodes(11..13)), AssignmentError::NotCommitted);
    assert_eq!(changed(|o| o.assignment.task = salt()), AssignmentError::NotCommitted);
    assert_eq!(changed(|o| o.salt = o.assignment.task), AssignmentError::NotCommitted);
    assert_eq!(changed(|o| o.index = 1), AssignmentError::NotCommitted);
    assert_eq!(changed(|o| o.batch = 8), AssignmentError::AnotherBatch);
    assert_eq!(changed(|o| o.validator = key(2).node_id()), AssignmentError::AnotherBatch);
    let late = AssignmentError::OutOfBounds("deadline");
    assert_eq!(changed(|o| o.assignment.deadline = OPENS_AT.plus(Duration::from_secs(1))), late);
    assert_eq!(opening.verify(&batch, NOW), Err(AssignmentError::TooEarly));
}

#[test]
fn the_content_is_hidden_by_a_salt_of_its_own() {
    let validator = key(1).node_id();
    let content = |salt| commitment((&validator, Netuid(1)), &requests(), &[salt; 32]).unwrap();
    assert_eq!(content(7), assignment().task);
    assert_ne!(content(8), assignment().task);
    assert_ne!(commitment((&key(2).node_id(), Netuid(1)), &requests(), &[7; 32]).unwrap(), content(7));
}

#[test]
fn refuses_a_forged_batch() {
    assert!(verified(1, |_| {}).is_ok());
    assert_eq!(verified(2, |_| {}), Err(AssignmentError::NotItsOwn));
    let own = verified(10, |batch| batch.validator = key(10).node_id());
    assert!(matches!(own, Err(AssignmentError::NotAValidator { .. })));
    let elsewhere = verified(1, |batch| batch.netuid = Netuid(2));
    assert!(matches!(elsewhere, Err(AssignmentError::NotAValidator { .. })));
    let other = Envelope::seal(&key(1), Domain::new("nervure/expert/1"), &MESH, &batch()).unwrap();
    let verified = SignedTaskBatch::verify(&other.encode().unwrap(), &MESH, NOW, &TwoValidators);
    assert!(matches!(verified, Err(AssignmentError::Envelope(EnvelopeError::Signature(_)))));
}

#[test]
fn times_are_bounded() {
    let error = |change: fn(&mut TaskBatch)| verified(1, change).unwrap_err();
    assert_eq!(error(|b| b.opens_at = b.issued_at), AssignmentError::OutOfBounds("opens_at"));
    let long = |b: &mut TaskBatch| b.opens_at = b.issued_at.plus(MAX_BATCH_TIME + Duration::from_secs(1));
    assert_eq!(error(long), AssignmentError::OutOfBounds("opens_at"));
    let early = |b: &mut TaskBatch| {
        b.issued_at = NOW.plus(Duration::from_secs(31));
    };
    assert_eq!(error(early), AssignmentError::FromTheFuture);
    let old = |b: &mut TaskBatch| {
        (b.issued_at, b.opens_at) = (UnixMillis(NOW.0 - 700_000), UnixMillis(NOW.0 - 650_000));
    };
    assert_eq!(error(old), AssignmentError::Expired);
}

#[test]
fn the_largest_messages_fit_and_larger_ones_are_refused() {
    let largest = Assignment { miners: nodes(10..74), deadline: OPENS_AT, ..assignment() };
    let (_, mut opening) = opened(largest);
    (opening.netuid, opening.batch) = (Netuid(u16::MAX), u64::MAX);
    assert!(AssignmentOpening::decode(&opening.encode().unwrap()).is_ok());
    let refused = |miners: Vec<NodeId>| {
        let (_, opening) = opened(Assignment { miners, ..assignment() });
        AssignmentOpening::decode(&opening.encode().unwrap()).unwrap_err()
    };
    for miners in [nodes(10..75), vec![], vec![key(10).node_id(); 2]] {
        assert_eq!(refused(miners), AssignmentError::OutOfBounds("miners"));
    }
    opening.path.pop();
    let short = AssignmentOpening::decode(&opening.encode().unwrap());
    assert_eq!(short, Err(AssignmentError::OutOfBounds("path")));
}

proptest::proptest! {
    #[test]
    fn no_bytes_make_the_decoders_panic(bytes: Vec<u8>) {
        proptest::prop_assert!(SignedTaskBatch::verify(&bytes, &MESH, NOW, &TwoValidators).is_err());
        proptest::prop_assert!(AssignmentOpening::decode(&bytes).is_err());
    }
}
