//! Leaving a slot: the deposit comes back, uids stay, and what others say of the slot counts for no node.

use nervure_ledger::transaction::{
    Call, DeregisterNeuron, DeregisterNeuronOutcome, DeregisterNode, NodeRejection, NodeUse, Outcome,
    RegisterNeuron, RegisterNeuronOutcome, RegisterSubnet, SubnetRejection, WeightsRejection,
};
use nervure_primitives::{Netuid, NodeId, Uid};

use crate::{
    weights::{commit, reveal},
    world::{World, node, owner, units},
};

const DEPOSIT: u64 = 9_000;

fn join(node: NodeId) -> Call {
    Call::RegisterNeuron(RegisterNeuron { netuid: Netuid(1), node, max_price: None })
}

fn leave(netuid: u16, node: NodeId) -> Call {
    Call::DeregisterNeuron(DeregisterNeuron { netuid: Netuid(netuid), node })
}

/// A mesh in which two nodes of owner 0 have the slots 2 and 3.
fn with_two() -> (World, [NodeId; 2]) {
    let mut world = World::new();
    let nodes = [0, 1].map(|key| world.register(0, key));
    for node in nodes {
        world.call(&owner(0), join(node)).unwrap();
    }
    assert_eq!(nodes.map(|node| world.subnet(1).uid_of(&node)), [Some(Uid(2)), Some(Uid(3))]);
    (world, nodes)
}

#[test]
fn who_leaves_has_the_deposit_back_and_the_next_newcomer_gets_the_slot() {
    let (mut world, [leaver, stays]) = with_two();
    let before = world.balance(&owner(0));
    let outcome = world.call(&owner(0), leave(1, leaver)).unwrap();
    let returned = units(DEPOSIT);
    let expected = DeregisterNeuronOutcome { netuid: Netuid(1), uid: Uid(2), node: leaver, returned };
    assert_eq!(outcome, Outcome::NeuronDeregistered(expected));
    assert_eq!(world.balance(&owner(0)), before + DEPOSIT - world.paid);
    assert_eq!(world.subnet(1).uid_of(&leaver), None);
    assert_eq!(world.subnet(1).uid_of(&stays), Some(Uid(3)), "no other uid moves");
    assert!(world.subnet(1).neuron(Uid(2)).unwrap().is_vacant());
    assert_eq!(world.subnet(1).occupied().count(), 3);
    // Epochs run with the vacant slot, and a rebuilt state has it too (each block is compared with its tree).
    world.next_epoch(1);
    // Nothing keeps the node now.
    world.call(&owner(0), Call::DeregisterNode(DeregisterNode { node: leaver })).unwrap();
    let newcomer = world.register(1, 2);
    let outcome = world.call(&owner(1), join(newcomer)).unwrap();
    let Outcome::NeuronRegistered(RegisterNeuronOutcome { uid, replaced, .. }) = outcome else { panic!() };
    assert_eq!((uid, replaced), (Uid(2), None), "the vacant one, and no node loses it");
}

#[test]
fn a_slot_is_left_once_by_its_owner_and_not_by_the_subnets_own_node() {
    let (mut world, [leaver, _]) = with_two();
    assert_eq!(world.refusal(&owner(1), leave(1, leaver)), NodeRejection::NotOwner { node: leaver }.into());
    assert_eq!(
        world.refusal(&owner(0), leave(9, leaver)),
        SubnetRejection::NoSuchSubnet { netuid: Netuid(9) }.into()
    );
    world.call(&owner(0), leave(1, leaver)).unwrap();
    assert_eq!(
        world.refusal(&owner(0), leave(1, leaver)),
        WeightsRejection::NotThere { netuid: Netuid(1) }.into()
    );
    let vacant = NodeId::from_bytes([0; 32]);
    for call in [leave(1, vacant), join(vacant)] {
        assert_eq!(world.refusal(&owner(0), call), NodeRejection::NoSuchNode { node: vacant }.into());
    }
    let found =
        RegisterSubnet { name: "own".into(), node: leaver, max_lock: units(u64::MAX), mechanism: None };
    world.call(&owner(0), Call::RegisterSubnet(found)).unwrap();
    let because = NodeUse::Slot(Netuid(2));
    assert_eq!(
        world.refusal(&owner(0), leave(2, leaver)),
        NodeRejection::NodeInUse { node: leaver, because }.into()
    );
}

/// A miner that leaves between a commit and its reveal does not spoil the row of a validator that named it.
#[test]
fn weights_about_a_slot_that_was_left_can_be_revealed_and_pay_no_node() {
    let (mut world, [leaver, stays]) = with_two();
    let validator = node(200);
    let row = [(Uid(2), 5), (Uid(3), 5)];
    world.next_epoch(1);
    commit(&mut world, &validator, &row).unwrap();
    world.call(&owner(0), leave(1, leaver)).unwrap();
    world.next_epoch(1);
    reveal(&mut world, &validator, &row).unwrap();
    let before = world.balance(&owner(0));
    world.next_epoch(1);
    let subnet = world.subnet(1);
    let [vacant, paid] = [Uid(2), Uid(3)].map(|uid| subnet.neuron(uid).unwrap().emission);
    assert!(vacant == 0 && paid > 0, "the row is older than the vacancy: {vacant}, {paid}");
    assert_eq!(world.balance(&owner(0)), before + paid, "only {stays} is paid");
    // The next holder of the slot inherits nothing of it.
    let newcomer = world.register(1, 2);
    world.call(&owner(1), join(newcomer)).unwrap();
    assert_eq!(world.subnet(1).neurons[0].weights, [(Uid(2), 0), (Uid(3), u16::MAX)]);
    assert_eq!(world.subnet(1).neuron(Uid(2)).unwrap().emission, 0);
}
