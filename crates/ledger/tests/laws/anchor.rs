//! Anchor keys: who may register which, and what elections make of them.

use nervure_anchor::{AnchorKey, Attestation, CheckpointStore, ProofOfPossession, Submission};
use nervure_ledger::{
    chain::Tip,
    state::LedgerState,
    transaction::{
        Call, NodeRejection, Outcome, RegisterAnchorKey, RegisterAnchorKeyOutcome, Rejection, SwapKey,
    },
    tree::{Key, MemoryTree, Record, StateTree},
};
use nervure_primitives::{BlockHeight, NodeKey};

use crate::{
    random,
    world::{World, node, owner, params, units},
};

pub(crate) fn anchor_key(index: u8) -> AnchorKey {
    AnchorKey::from_secret(&[index + 1; 32]).unwrap()
}

/// The registration of anchor key `index` by `node`.
pub(crate) fn registration(world: &World, node: &NodeKey, index: u8) -> Call {
    let key = anchor_key(index);
    let possession = ProofOfPossession::prove(&key, &node.node_id(), &world.state.mesh());
    Call::RegisterAnchorKey(RegisterAnchorKey { address: key.address(), possession })
}

pub(crate) fn register(world: &mut World, node: &NodeKey, index: u8) -> Result<Outcome, Rejection> {
    let call = registration(world, node, index);
    world.call(node, call)
}

fn refused(world: &mut World, node: &NodeKey, index: u8) -> Rejection {
    let call = registration(world, node, index);
    world.refusal(node, call)
}

#[test]
fn a_node_registers_an_unused_key_with_its_consent() {
    let mut world = random::settled();
    let (one, other, address) = (node(0), node(1), anchor_key(0).address());
    let done = register(&mut world, &one, 0).unwrap();
    let outcome = RegisterAnchorKeyOutcome { node: one.node_id(), address, deposit: units(500) };
    assert_eq!(done, Outcome::AnchorKeyRegistered(outcome));
    let key = world.state.anchors().key_of(&one.node_id()).unwrap();
    assert_eq!((key.address, key.block), (address, world.state.height().0));
    assert_eq!(world.state.anchors().holder_of(&address), Some(&one.node_id()));
    assert!(matches!(refused(&mut world, &other, 0), Rejection::Node(NodeRejection::AnchorKeyTaken { .. })));
    assert!(
        matches!(refused(&mut world, &one, 0), Rejection::Node(NodeRejection::AnchorKeyTaken { .. })),
        "its own again"
    );
    let of_another = registration(&world, &one, 5);
    assert!(
        matches!(world.refusal(&other, of_another), Rejection::Node(NodeRejection::AnchorKeyProof { .. })),
        "a proof that was seen"
    );
    let by_owner = registration(&world, &owner(0), 5);
    assert!(
        matches!(world.refusal(&owner(0), by_owner), Rejection::Node(NodeRejection::NoSuchNode { .. })),
        "not by an owner key"
    );
}

#[test]
fn a_key_is_replaced_once_between_two_elections() {
    let mut world = random::settled();
    let one = node(0);
    register(&mut world, &one, 0).unwrap();
    assert!(matches!(refused(&mut world, &one, 5), Rejection::Node(NodeRejection::AnchorKeyTooSoon { .. })));
    world.wait(params().election_interval - 3);
    assert!(matches!(refused(&mut world, &one, 5), Rejection::Node(NodeRejection::AnchorKeyTooSoon { .. })));
    register(&mut world, &one, 5).unwrap();
    assert_eq!(world.state.anchors().holder_of(&anchor_key(0).address()), None);
    register(&mut world, &node(1), 0).unwrap();
}

#[test]
fn a_node_registers_another_key_later() {
    let mut world = random::settled();
    register(&mut world, &node(0), 0).unwrap();
    let consent = world.consent(&node(10), &owner(0).node_id());
    world.call(&owner(0), Call::SwapKey(SwapKey { old: node(0).node_id(), consent })).unwrap();
    assert_eq!(world.state.anchors().holder_of(&anchor_key(0).address()), None);
    register(&mut world, &node(10), 0).unwrap();
}

/// Empty blocks until an election is over.
fn election(world: &mut World) {
    world.wait(1);
    while !world.state.height().0.is_multiple_of(params().election_interval) {
        world.wait(1);
    }
}

fn header(world: &World) -> nervure_ledger::block::Header {
    let (tip, _) = Tip::genesis(&world.spec).unwrap();
    let state = MemoryTree::of(&world.state).unwrap().root().unwrap();
    nervure_ledger::block::Header { height: world.state.height(), state, ..tip.header }
}

#[test]
fn each_election_leaves_a_checkpoint_that_the_set_before_it_signs() {
    let mut world = World::new();
    let validator = node(200);
    register(&mut world, &validator, 0).unwrap();
    election(&mut world);
    let first = world.state.anchors().successors().unwrap().clone();
    assert_eq!(first.members()[0].address, anchor_key(0).address());
    assert_eq!(world.state.anchor_checkpoint(&header(&world)), None, "no set signs this one");
    let deployed = world.state.height();
    let domain = nervure_anchor::AnchorDomain::LOCAL;
    let mut store = CheckpointStore::new(domain, world.state.mesh(), deployed, first.hash());
    let mut epochs = Vec::new();
    for index in [0, 5, 5, 5] {
        if index == 5 {
            // Replaced in the first round, refused in the others.
            let _ = register(&mut world, &validator, 5);
        }
        election(&mut world);
        let header = header(&world);
        let (checkpoint, signers) = world.state.anchor_checkpoint(&header).unwrap();
        assert_eq!((checkpoint.block(), checkpoint.state()), (header.id(), header.state));
        epochs.extend(checkpoint.metagraphs().iter().map(|one| one.epoch));
        let key = [0, 5].map(anchor_key).into_iter().find(|key| signers.power_of(&key.address()).is_some());
        let attestation = Attestation::sign(&key.unwrap(), &checkpoint, &domain, &signers.hash());
        let (validators, signatures) = (signers.clone(), vec![attestation.signature]);
        assert_eq!(store.submit(&Submission { checkpoint, validators, signatures }), Ok(true));
    }
    assert_eq!(store.validators(), world.state.anchors().successors().unwrap().hash());
    assert_ne!(store.validators(), first.hash(), "the new key signs");
    assert!(epochs.len() >= 3 && epochs.is_sorted(), "every epoch, once: {epochs:?}");
    let later = BlockHeight(world.state.height().0 + 1);
    let other = nervure_ledger::block::Header { height: later, ..header(&world) };
    assert_eq!(world.state.anchor_checkpoint(&other), None, "another block's header");
}

#[test]
fn keys_and_sets_are_proven_and_rebuilt() {
    let mut world = World::new();
    register(&mut world, &node(200), 0).unwrap();
    election(&mut world);
    election(&mut world);
    let tree = MemoryTree::of(&world.state).unwrap();
    let root = tree.root().unwrap();
    for key in [Key::AnchorKey(node(200).node_id()), Key::AnchorSets] {
        let (record, proof) = tree.prove(&key).unwrap();
        assert_eq!(proof.verify(&root, &record.unwrap()), Ok(()));
    }
    let records = || nervure_ledger::tree::changes(None, &world.state).into_values().flatten();
    assert_eq!(LedgerState::from_records(&world.spec, records()).unwrap(), world.state);
    let twice = records().filter_map(|record| match record {
        Record::AnchorKey { key, .. } => Some(Record::AnchorKey { node: node(1).node_id(), key }),
        _ => None,
    });
    let twice: Vec<_> = records().chain(twice).collect();
    let refused = LedgerState::from_records(&world.spec, twice).unwrap_err();
    assert!(refused.to_string().contains("twice"), "one key of two nodes: {refused}");
}
