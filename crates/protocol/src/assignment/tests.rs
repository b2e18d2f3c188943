//! Which assignments are valid.

use std::{sync::OnceLock, time::Duration};

use nervure_primitives::{BlockHeight, Domain};

use super::*;
use crate::testing::{MESH, NOW, key};

/// Nodes 1 and 2 are validators, 1 to 199 are registered.
struct FewNeurons;

impl Neurons for FewNeurons {
    fn may_validate(&self, node: &NodeId, netuid: Netuid) -> bool {
        netuid == Netuid(1) && [1, 2].iter().any(|seed| key(*seed).node_id() == *node)
    }

    fn registered_at(&self, node: &NodeId, netuid: Netuid) -> Option<BlockHeight> {
        static KNOWN: OnceLock<Vec<NodeId>> = OnceLock::new();
        let known = KNOWN.get_or_init(|| nodes(1..200)).contains(node);
        (netuid == Netuid(1) && known).then_some(BlockHeight(5))
    }
}

fn nodes(seeds: std::ops::Range<u8>) -> Vec<NodeId> {
    let mut nodes: Vec<_> = seeds.map(|seed| key(seed).node_id()).collect();
    nodes.sort();
    nodes
}

fn requests() -> Vec<ExpertRequest> {
    vec![ExpertRequest::Distribution { context: b"fn main".to_vec() }]
}

fn assignment(validator: u8, salt: u8) -> Assignment {
    let validator = key(validator).node_id();
    Assignment {
        netuid: Netuid(1),
        validator,
        task: commitment((&validator, Netuid(1)), &requests(), &[salt; 32]).unwrap(),
        miners: nodes(10..13),
        issued_at: NOW,
        deadline: NOW.plus(Duration::from_secs(20)),
    }
}

fn verified(signer: u8, change: impl FnOnce(&mut Assignment)) -> Result<SignedAssignment, AssignmentError> {
    let mut assignment = assignment(1, 7);
    change(&mut assignment);
    let bytes =
        Envelope::seal(&key(signer), domains::ASSIGNMENT, &MESH, &assignment).unwrap().encode().unwrap();
    SignedAssignment::verify(&bytes, &MESH, NOW, &FewNeurons)
}

fn error(change: impl FnOnce(&mut Assignment)) -> AssignmentError {
    verified(1, change).unwrap_err()
}

#[test]
fn a_valid_assignment_hides_its_content() {
    let signed = verified(1, |_| {}).unwrap();
    let assignment = signed.assignment();
    assert!(assignment.is_for(&requests(), &[7; 32]));
    assert!(!assignment.is_for(&requests(), &[8; 32]), "another salt");
    assert!(!assignment.is_for(&[], &[7; 32]), "another content");
    assert!(!signed.bytes().windows(7).any(|window| window == b"fn main"));
    let another = Assignment { validator: key(2).node_id(), ..assignment.clone() };
    assert!(!another.is_for(&requests(), &[7; 32]), "a copied commitment is of no use");
}

#[test]
fn refuses_a_forged_assignment() {
    assert_eq!(verified(2, |_| {}), Err(AssignmentError::NotItsOwn));
    let miner = key(10);
    let own = verified(10, |a| (a.validator, a.miners) = (miner.node_id(), nodes(11..13)));
    assert!(matches!(own, Err(AssignmentError::NotAValidator { .. })));
    assert!(matches!(error(|a| a.netuid = Netuid(2)), AssignmentError::NotAValidator { .. }));
    assert!(matches!(error(|a| a.miners = nodes(199..202)), AssignmentError::NotRegistered { .. }));
    let bytes = Envelope::seal(&key(1), Domain::new("nervure/expert/1"), &MESH, &assignment(1, 7)).unwrap();
    let verified = SignedAssignment::verify(&bytes.encode().unwrap(), &MESH, NOW, &FewNeurons);
    assert!(matches!(verified, Err(AssignmentError::Envelope(EnvelopeError::Signature(_)))));
}

#[test]
fn fields_are_bounded() {
    let bounded = AssignmentError::OutOfBounds;
    assert_eq!(error(|a| a.miners.clear()), bounded("miners"));
    assert_eq!(error(|a| a.miners.reverse()), bounded("miners"));
    assert_eq!(error(|a| a.miners = vec![key(10).node_id(); 2]), bounded("miners"));
    assert_eq!(error(|a| a.miners = nodes(10..75)), bounded("miners"));
    assert_eq!(error(|a| a.miners = nodes(1..4)), bounded("miners"), "the validator itself");
    assert_eq!(error(|a| a.deadline = a.issued_at), bounded("deadline"));
    assert_eq!(error(|a| a.deadline = NOW.plus(Duration::from_secs(601))), bounded("deadline"));
    let early = |a: &mut Assignment| a.issued_at = NOW.plus(Duration::from_secs(31));
    assert_eq!(
        error(|a| (early(a), a.deadline = a.issued_at.plus(MAX_TASK_TIME)).0),
        AssignmentError::FromTheFuture
    );
    assert_eq!(
        error(|a| (a.issued_at, a.deadline) = (UnixMillis(1), NOW)),
        AssignmentError::OutOfBounds("deadline")
    );
    let over = |a: &mut Assignment| (a.issued_at, a.deadline) = (UnixMillis(NOW.0 - 9), NOW);
    assert_eq!(error(over), AssignmentError::Expired);
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
    fn no_bytes_make_the_decoder_panic(bytes: Vec<u8>) {
        proptest::prop_assert!(SignedAssignment::verify(&bytes, &MESH, NOW, &FewNeurons).is_err());
    }
}
