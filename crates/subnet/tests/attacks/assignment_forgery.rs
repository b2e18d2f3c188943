//! A node announces batches of tasks in a validator's name, or opens assignments that the validator did not commit to, to
//! make miners look silent or to flood the mesh.
//!
//! Defence: a batch is believed when the validator that it names signed it, for this mesh, and is one; an opening when it
//! leads to the root of such a batch, and not before the batch has ended.

use std::time::Duration;

use nervure_primitives::{Domain, Envelope, Hash, MeshId, NodeKey, UnixMillis, cbor};
use nervure_protocol::{
    Assignment, AssignmentOpening, ExpertRequest, SignedTaskBatch, TaskBatch, bounds::MAX_TASK_BATCH_LEN,
    commitment,
};
use nervure_subnet::{
    Seed,
    task::{AssignmentOutcome, Assignments, BatchPlan, OpenBatch},
};

use crate::world::{Ledger, MESH, NOW, SUBNET, id, key};

const VALIDATOR: u8 = 1;
const MINER: u8 = 10;
const STRANGER: u8 = 99;

fn opens_at() -> UnixMillis {
    NOW.plus(Duration::from_secs(10))
}

fn batch(validator: u8) -> OpenBatch {
    let questions = [ExpertRequest::Distribution { context: b"abc".to_vec() }];
    let assignment = Assignment {
        task: commitment((&id(validator), SUBNET), &questions, &[1; 32]).unwrap(),
        miners: vec![id(11)],
        deadline: opens_at(),
    };
    let plan = BatchPlan {
        netuid: SUBNET,
        validator: id(validator),
        number: 1,
        issued_at: NOW,
        opens_at: opens_at(),
    };
    OpenBatch::new(plan, vec![assignment], Seed::from(1)).unwrap()
}

fn signed(signer: &NodeKey, mesh: &MeshId, validator: u8) -> Vec<u8> {
    SignedTaskBatch::sign(signer, mesh, batch(validator).batch().clone()).unwrap().bytes().to_vec()
}

/// Forged batches, each of its own kind.
fn forgeries() -> Vec<(&'static str, Vec<u8>)> {
    let other_purpose =
        Envelope::seal(&key(VALIDATOR), Domain::new("nervure/other/1"), &MESH, batch(VALIDATOR).batch());
    vec![
        ("another's name", signed(&key(MINER), &MESH, VALIDATOR)),
        ("a miner's own", signed(&key(MINER), &MESH, MINER)),
        ("a stranger's own", signed(&key(STRANGER), &MESH, STRANGER)),
        ("another mesh", signed(&key(VALIDATOR), &MeshId::from_bytes([8; 32]), VALIDATOR)),
        ("another purpose", other_purpose.unwrap().encode().unwrap()),
    ]
}

fn defended(bytes: &[u8]) -> bool {
    SignedTaskBatch::verify(bytes, &MESH, NOW, &Ledger).is_ok()
}

/// Decodes a batch without verifying who signed it.
fn undefended(bytes: &[u8]) -> bool {
    let read = |envelope: Envelope| {
        cbor::decode::<TaskBatch>(envelope.body(), cbor::Limits::new(MAX_TASK_BATCH_LEN))
    };
    Envelope::decode(bytes, MAX_TASK_BATCH_LEN).is_ok_and(|envelope| read(envelope).is_ok())
}

#[test]
fn refuses_every_forgery() {
    let honest = signed(&key(VALIDATOR), &MESH, VALIDATOR);
    assert!(defended(&honest) && undefended(&honest));
    for (name, forgery) in forgeries() {
        assert!(!defended(&forgery), "{name}");
        assert!(undefended(&forgery), "{name}: a forgery has to work without the defence");
    }
}

/// A peer that forwards openings with other miners, so that these look silent.
#[test]
fn an_opening_cannot_name_other_miners() {
    let (honest, mut seen) = (batch(VALIDATOR), Assignments::default());
    let bytes = signed(&key(VALIDATOR), &MESH, VALIDATOR);
    seen.insert(SignedTaskBatch::verify(&bytes, &MESH, NOW, &Ledger).unwrap(), NOW);
    let opening = honest.openings().remove(0);
    let mut forged = opening.clone();
    forged.assignment.miners = vec![id(MINER)];
    let decoded = AssignmentOpening::decode(&forged.encode().unwrap());
    assert!(decoded.is_ok(), "without the root, the forgery would be believed");
    assert!(seen.open(&forged, opens_at()).is_err());
    assert_eq!(seen.open(&opening, opens_at()), Ok(AssignmentOutcome::New));
}

/// A miner that reads gossip to learn whether it is being tested, and by what.
#[test]
fn a_batch_tells_a_miner_nothing() {
    let with = batch(VALIDATOR);
    let plan = BatchPlan {
        netuid: SUBNET,
        validator: id(VALIDATOR),
        number: 1,
        issued_at: NOW,
        opens_at: opens_at(),
    };
    let without = OpenBatch::new(plan, vec![], Seed::from(1)).unwrap();
    let bytes = |batch: &OpenBatch| {
        SignedTaskBatch::sign(&key(VALIDATOR), &MESH, batch.batch().clone()).unwrap().bytes().to_vec()
    };
    let names = |bytes: &[u8]| bytes.windows(32).any(|window| window == id(11).as_bytes());
    assert!(!names(&bytes(&with)) && bytes(&with).len() == bytes(&without).len());
    // A commitment without salts, which a miner can try its own questions against.
    let opening = with.openings().remove(0);
    let guessed = |salt: Hash| with.batch().leaf(&opening.assignment, &salt).unwrap();
    let unsalted = Hash::from_bytes([0; 32]);
    assert_ne!(guessed(unsalted), guessed(opening.salt), "the defence");
    assert!(names(&opening.encode().unwrap()), "the opening, afterwards, names the miner");
}
