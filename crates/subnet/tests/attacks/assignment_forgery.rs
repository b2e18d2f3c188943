//! A node announces tasks in a validator's name, to make miners look silent or to flood the mesh.
//!
//! Defence: an assignment is believed when the validator that it names signed it, for this mesh, and is one.

use std::time::Duration;

use nervure_primitives::{Domain, Envelope, MeshId, NodeKey, cbor};
use nervure_protocol::{Assignment, ExpertRequest, SignedAssignment, bounds::MAX_ASSIGNMENT_LEN, commitment};

use crate::world::{Ledger, MESH, NOW, SUBNET, id, key};

const VALIDATOR: u8 = 1;
const MINER: u8 = 10;
const STRANGER: u8 = 99;

fn assignment(validator: u8) -> Assignment {
    let questions = [ExpertRequest::Distribution { context: b"abc".to_vec() }];
    Assignment {
        netuid: SUBNET,
        validator: id(validator),
        task: commitment((&id(validator), SUBNET), &questions, &[1; 32]).unwrap(),
        miners: vec![id(11)],
        issued_at: NOW,
        deadline: NOW.plus(Duration::from_secs(10)),
    }
}

fn signed(signer: &NodeKey, mesh: &MeshId, assignment: &Assignment) -> Vec<u8> {
    SignedAssignment::sign(signer, mesh, assignment.clone()).unwrap().bytes().to_vec()
}

/// Forged assignments, each of its own kind.
fn forgeries() -> Vec<(&'static str, Vec<u8>)> {
    let other_purpose =
        Envelope::seal(&key(VALIDATOR), Domain::new("nervure/other/1"), &MESH, &assignment(VALIDATOR));
    vec![
        ("another's name", signed(&key(MINER), &MESH, &assignment(VALIDATOR))),
        ("a miner's own", signed(&key(MINER), &MESH, &assignment(MINER))),
        ("a stranger's own", signed(&key(STRANGER), &MESH, &assignment(STRANGER))),
        ("another mesh", signed(&key(VALIDATOR), &MeshId::from_bytes([8; 32]), &assignment(VALIDATOR))),
        ("another purpose", other_purpose.unwrap().encode().unwrap()),
    ]
}

fn defended(bytes: &[u8]) -> bool {
    SignedAssignment::verify(bytes, &MESH, NOW, &Ledger).is_ok()
}

/// Decodes an assignment without verifying who signed it.
fn undefended(bytes: &[u8]) -> bool {
    let read = |envelope: Envelope| {
        cbor::decode::<Assignment>(envelope.body(), cbor::Limits::new(MAX_ASSIGNMENT_LEN))
    };
    Envelope::decode(bytes, MAX_ASSIGNMENT_LEN).is_ok_and(|envelope| read(envelope).is_ok())
}

#[test]
fn refuses_every_forgery() {
    let honest = signed(&key(VALIDATOR), &MESH, &assignment(VALIDATOR));
    assert!(defended(&honest) && undefended(&honest));
    for (name, forgery) in forgeries() {
        assert!(!defended(&forgery), "{name}");
        assert!(undefended(&forgery), "{name}: a forgery has to work without the defence");
    }
}
