//! Which assignments are believed.

use std::sync::OnceLock;

use nervure_primitives::BlockHeight;

use super::*;
use crate::record::tests::{MESH, NOW, key};

/// Nodes 1 and 2 are validators, 1 to 199 are registered.
pub(in crate::task) struct Few;

impl Neurons for Few {
    fn may_validate(&self, node: &NodeId, netuid: Netuid) -> bool {
        netuid == Netuid(1) && [1, 2].iter().any(|seed| key(*seed).node_id() == *node)
    }

    fn registered_at(&self, node: &NodeId, netuid: Netuid) -> Option<BlockHeight> {
        static KNOWN: OnceLock<Vec<NodeId>> = OnceLock::new();
        let known = KNOWN.get_or_init(|| nodes(1..200)).contains(node);
        (netuid == Netuid(1) && known).then_some(BlockHeight(5))
    }
}

pub(in crate::task) fn nodes(seeds: std::ops::Range<u8>) -> Vec<NodeId> {
    let mut nodes: Vec<_> = seeds.map(|seed| key(seed).node_id()).collect();
    nodes.sort();
    nodes
}

fn questions() -> Vec<Question> {
    vec![Question::Distribution { context: b"fn main".to_vec() }]
}

pub(in crate::task) fn assignment(validator: u8, salt: u64) -> Assignment {
    let validator = key(validator).node_id();
    Assignment {
        netuid: Netuid(1),
        validator,
        task: commitment((&validator, Netuid(1)), &questions(), &salt.into()).unwrap(),
        miners: nodes(10..13),
        issued_at: NOW,
        deadline: NOW.plus(Duration::from_secs(20)),
    }
}

fn verified(signer: u8, change: impl FnOnce(&mut Assignment)) -> Result<SignedAssignment, AssignmentError> {
    let mut assignment = assignment(1, 7);
    change(&mut assignment);
    let bytes = Envelope::seal(&key(signer), DOMAIN, &MESH, &assignment).unwrap().encode().unwrap();
    SignedAssignment::verify(&bytes, &MESH, NOW, &Few)
}

fn refused(change: impl FnOnce(&mut Assignment)) -> AssignmentError {
    verified(1, change).unwrap_err()
}

#[test]
fn an_assignment_is_believed_and_says_nothing_about_its_content() {
    let signed = verified(1, |_| {}).unwrap();
    let assignment = signed.assignment();
    assert!(assignment.is_for(&questions(), &7.into()));
    assert!(!assignment.is_for(&questions(), &8.into()), "another salt");
    assert!(!assignment.is_for(&[], &7.into()), "another content");
    assert!(!signed.bytes().windows(7).any(|window| window == b"fn main"));
    let another = Assignment { validator: key(2).node_id(), ..assignment.clone() };
    assert!(!another.is_for(&questions(), &7.into()), "a copied commitment is worth nothing");
}

#[test]
fn nobody_assigns_in_anothers_name() {
    assert_eq!(verified(2, |_| {}), Err(AssignmentError::NotItsOwn));
    let miner = key(10);
    let own = verified(10, |a| (a.validator, a.miners) = (miner.node_id(), nodes(11..13)));
    assert!(matches!(own, Err(AssignmentError::NotAValidator { .. })));
    assert!(matches!(refused(|a| a.netuid = Netuid(2)), AssignmentError::NotAValidator { .. }));
    assert!(matches!(refused(|a| a.miners = nodes(199..202)), AssignmentError::NotRegistered { .. }));
    let bytes = Envelope::seal(&key(1), Domain::new("nervure/expert/1"), &MESH, &assignment(1, 7)).unwrap();
    let verified = SignedAssignment::verify(&bytes.encode().unwrap(), &MESH, NOW, &Few);
    assert!(matches!(verified, Err(AssignmentError::Envelope(EnvelopeError::Signature(_)))));
}

#[test]
fn fields_are_bounded() {
    let bounded = AssignmentError::OutOfBounds;
    assert_eq!(refused(|a| a.miners.clear()), bounded("miners"));
    assert_eq!(refused(|a| a.miners.reverse()), bounded("miners"));
    assert_eq!(refused(|a| a.miners = vec![key(10).node_id(); 2]), bounded("miners"));
    assert_eq!(refused(|a| a.miners = nodes(10..75)), bounded("miners"));
    assert_eq!(refused(|a| a.miners = nodes(1..4)), bounded("miners"), "the validator itself");
    assert_eq!(refused(|a| a.deadline = a.issued_at), bounded("deadline"));
    assert_eq!(refused(|a| a.deadline = NOW.plus(Duration::from_secs(601))), bounded("deadline"));
    let early = |a: &mut Assignment| a.issued_at = NOW.plus(Duration::from_secs(31));
    assert_eq!(
        refused(|a| (early(a), a.deadline = a.issued_at.plus(MAX_TIME)).0),
        AssignmentError::FromTheFuture
    );
    assert_eq!(
        refused(|a| (a.issued_at, a.deadline) = (UnixMillis(1), NOW)),
        AssignmentError::OutOfBounds("deadline")
    );
    let over = |a: &mut Assignment| (a.issued_at, a.deadline) = (UnixMillis(NOW.0 - 9), NOW);
    assert_eq!(refused(over), AssignmentError::Expired);
}

#[test]
fn the_wire_is_frozen() {
    let signed = SignedAssignment::sign(&key(1), &MESH, assignment(1, 7)).unwrap();
    assert_eq!(
        Hash::of("frozen", &[signed.bytes()]).to_string(),
        "74ca669f0ef6d245f110c2db00c9f77e8c5e2a9b788539dd175b22bf28b017cb"
    );
}

#[test]
fn the_largest_assignment_fits() {
    let largest = |a: &mut Assignment| {
        a.netuid = Netuid(u16::MAX);
        a.miners = nodes(10..74);
        (a.issued_at, a.deadline) = (UnixMillis(u64::MAX - 1), UnixMillis(u64::MAX));
    };
    let mut assignment = assignment(1, 7);
    largest(&mut assignment);
    let signed = SignedAssignment::sign(&key(1), &MESH, assignment).unwrap();
    assert!(Envelope::decode(signed.bytes(), MAX_ASSIGNMENT_LEN).is_ok());
}

proptest::proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes: Vec<u8>) {
        proptest::prop_assert!(SignedAssignment::verify(&bytes, &MESH, NOW, &Few).is_err());
    }
}
