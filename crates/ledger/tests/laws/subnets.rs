//! Subnets and slots: prices, places, and that a slot's new holder inherits nothing.

use nervure_ledger::transaction::{
    Call, NodeRejection, Outcome, RegisterNeuron, RegisterNeuronOutcome, RegisterSubnet,
    RegisterSubnetOutcome, Rejection, Stake, SubnetRejection, SwapKey,
};
use nervure_primitives::{BlockHeight, Netuid, NodeId, NodeKey, Uid};

use crate::{
    weights::{commit, reveal},
    world::{World, node, owner, params, units},
};

fn join(netuid: u16, node: NodeId) -> Call {
    Call::RegisterNeuron(RegisterNeuron { netuid: Netuid(netuid), node, max_price: None })
}

fn found(node: NodeId) -> Call {
    Call::RegisterSubnet(RegisterSubnet {
        name: "images".into(),
        node,
        max_lock: units(u64::MAX),
        mechanism: None,
    })
}

/// Fills subnet 1 with nodes of owner 0 from `first` on, one per block.
fn fill(world: &mut World, first: u8) {
    let mut key = first;
    while world.subnet(1).neurons.len() < usize::from(params().slots) {
        let id = world.register(0, key);
        world.call(&owner(0), join(1, id)).unwrap();
        key += 1;
    }
}

#[test]
fn a_slot_burns_its_price_and_the_next_one_costs_more() {
    let mut world = World::new();
    let (a, b) = (world.register(0, 0), world.register(0, 1));
    let before = (world.balance(&owner(0)), world.state.issuance());
    let outcome = world.call(&owner(0), join(1, a)).unwrap();
    let price = units(1_000);
    assert_eq!(
        outcome,
        Outcome::NeuronRegistered(RegisterNeuronOutcome {
            netuid: Netuid(1),
            uid: Uid(2),
            price,
            replaced: None,
            deposit: units(9_000),
        })
    );
    let cost = 1_000 + world.paid;
    assert_eq!(world.balance(&owner(0)), before.0 - cost - 9_000);
    assert_eq!(world.state.issuance(), before.1 + 1_000_000_000 - cost, "burned is recycled");
    assert_eq!(world.subnet(1).price, 1_260);
    let capped = |most| {
        Call::RegisterNeuron(RegisterNeuron { netuid: Netuid(1), node: b, max_price: Some(units(most)) })
    };
    // One block of decay later; each rejection is a block too.
    assert!(matches!(
        world.refusal(&owner(0), capped(1_000)),
        Rejection::Subnet(SubnetRejection::Price { .. })
    ));
    assert!(matches!(
        world.refusal(&owner(0), join(1, a)),
        Rejection::Subnet(SubnetRejection::AlreadyThere { .. })
    ));
    assert!(matches!(world.refusal(&owner(1), join(1, b)), Rejection::Node(NodeRejection::NotOwner { .. })));
    assert!(matches!(
        world.refusal(&owner(0), join(9, b)),
        Rejection::Subnet(SubnetRejection::NoSuchSubnet { .. })
    ));
    world.call(&owner(0), capped(1_260)).unwrap();
}

#[test]
fn in_a_full_subnet_the_one_that_earns_least_gives_way() {
    let mut world = World::new();
    fill(&mut world, 0);
    let newcomer = world.register(1, 100);
    world.wait(params().subnet.immunity);
    let expected = world
        .subnet(1)
        .neurons
        .iter()
        .min_by_key(|neuron| (neuron.emission, neuron.registered))
        .map(|neuron| neuron.node);
    let outcome = world.call(&owner(1), join(1, newcomer)).unwrap();
    let Outcome::NeuronRegistered(RegisterNeuronOutcome { uid, replaced, .. }) = outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!(replaced, expected);
    assert_eq!(world.subnet(1).uid_of(&newcomer), Some(uid));
    assert_eq!(world.subnet(1).neurons.len(), usize::from(params().slots));
}

#[test]
fn a_new_neuron_inherits_nothing_of_its_slot() {
    let validator = node(200);
    let mut world = World::new();
    fill(&mut world, 0);
    let miner = world.subnet(1).uid_of(&node(3).node_id()).unwrap();
    world.next_epoch(1);
    commit(&mut world, &validator, &[(miner, 9), (Uid(1), 1)]).unwrap();
    world.next_epoch(1);
    reveal(&mut world, &validator, &[(miner, 9), (Uid(1), 1)]).unwrap();
    world.next_epoch(1);
    world.next_epoch(1);
    let earned = world.subnet(1).neuron(miner).unwrap().clone();
    assert!(earned.emission > 0 && earned.incentive > 0);
    assert!(world.subnet(1).neurons[0].bonds.iter().any(|(uid, bond)| *uid == miner && *bond > 0));
    commit(&mut world, &validator, &[(miner, 7)]).unwrap();
    // All others earn nothing and would go first, so newcomers come until the miner is the oldest
    // one that is left without immunity.
    let mut key = 100;
    while world.subnet(1).neuron(miner).unwrap().node == earned.node {
        let id = world.register(1, key);
        let _ = world.call(&owner(1), join(1, id));
        key += 1;
    }
    let slot = world.subnet(1).neuron(miner).unwrap().clone();
    assert_eq!((slot.emission, slot.incentive, slot.dividends, slot.consensus), (0, 0, 0, 0));
    assert!(!slot.permit && slot.weights.is_empty() && slot.bonds.is_empty() && slot.commits.is_empty());
    assert_eq!((slot.registered, slot.last_update), (world.state.height().0, world.state.height().0));
    for neuron in &world.subnet(1).neurons {
        assert!(neuron.weights.iter().all(|(uid, weight)| *uid != miner || *weight == 0));
        assert!(neuron.bonds.iter().all(|(uid, _)| *uid != miner));
    }
    world.next_epoch(1);
    world.next_epoch(1);
    assert_eq!(world.subnet(1).neuron(miner).unwrap().incentive, 0);
}

#[test]
fn weights_promised_to_a_former_holder_do_not_reach_the_new_one() {
    let validator = node(200);
    let mut rules = params();
    rules.subnet.immunity = 0;
    rules.subnet.tempo = 40;
    let mut world = World::with(rules);
    fill(&mut world, 0);
    world.next_epoch(1);
    // The miner of the genesis is the oldest of those that earn nothing.
    let row = [(Uid(1), 9), (Uid(3), 3)];
    commit(&mut world, &validator, &row).unwrap();
    let newcomer = world.register(1, 100);
    let outcome = world.call(&owner(1), join(1, newcomer)).unwrap();
    assert!(
        matches!(
            outcome,
            Outcome::NeuronRegistered(RegisterNeuronOutcome { uid: Uid(1), replaced: Some(_), .. })
        ),
        "{outcome:?}"
    );
    world.next_epoch(1);
    reveal(&mut world, &validator, &row).unwrap();
    assert_eq!(world.subnet(1).neurons[0].weights, [(Uid(1), 0), (Uid(3), 21_845)]);
}

#[test]
fn a_subnet_locks_its_cost_and_the_next_one_costs_twice() {
    let mut world = World::new();
    let (a, b) = (world.register(0, 0), world.register(1, 1));
    let outcome = world.call(&owner(0), found(a)).unwrap();
    let locked = units(1_000_000);
    assert_eq!(
        outcome,
        Outcome::SubnetRegistered(RegisterSubnetOutcome { netuid: Netuid(2), locked, dissolved: None })
    );
    assert_eq!(world.subnet(2).owner_uid(), Some(Uid(0)));
    assert_eq!(world.state.lock_cost(), 1_900_000, "one block of decay");
    let cheap = RegisterSubnet { name: "b".into(), node: b, max_lock: units(5), mechanism: None };
    assert!(matches!(
        world.refusal(&owner(1), Call::RegisterSubnet(cheap)),
        Rejection::Subnet(SubnetRejection::Price { .. })
    ));
    let bad = RegisterSubnet { name: "B!".into(), node: b, max_lock: units(u64::MAX), mechanism: None };
    assert!(matches!(
        world.refusal(&owner(1), Call::RegisterSubnet(bad)),
        Rejection::Subnet(SubnetRejection::Name)
    ));
    assert!(matches!(world.refusal(&owner(1), found(a)), Rejection::Node(NodeRejection::NotOwner { .. })));
}

#[test]
fn in_a_full_mesh_the_poorest_old_subnet_is_dissolved() {
    let mut world = World::new();
    let (a, b, c) = (world.register(0, 0), world.register(1, 1), world.register(2, 2));
    // The genesis subnet is the oldest but has the largest share; the mesh is full after these two.
    world.call(&owner(0), found(a)).unwrap();
    world.call(&owner(1), found(b)).unwrap();
    world.wait(params().subnet_immunity - 4);
    world.wait(4);
    let averages: Vec<u128> = world.state.subnets().values().map(|subnet| subnet.average).collect();
    assert!(
        averages[0] > averages[2] && averages[2] > averages[1],
        "the second gave half of its share to the third"
    );
    let (before, locked, earned) = (world.balance(&owner(0)), world.subnet(2).locked, world.subnet(2).earned);
    let outcome = world.call(&owner(2), found(c)).unwrap();
    let Outcome::SubnetRegistered(RegisterSubnetOutcome { netuid, dissolved, .. }) = outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!((netuid, dissolved), (Netuid(4), Some(Netuid(2))), "the number of the other one rests");
    assert!(earned > locked, "the owner earned its lock back, so nothing of it comes back");
    assert!(world.balance(&owner(0)) >= before);
}

#[test]
fn a_lock_comes_back_less_what_the_owner_earned() {
    let mut rules = params();
    rules.lock.floor = 50_000_000_000;
    let mut world = World::with(rules);
    let (a, b, c) = (world.register(0, 0), world.register(1, 1), world.register(2, 2));
    world.call(&owner(0), found(a)).unwrap();
    world.call(&owner(1), found(b)).unwrap();
    world.wait(9);
    let (locked, earned) = (world.subnet(2).locked, world.subnet(2).earned);
    assert!(earned > 0 && earned < locked);
    let before = world.balance(&owner(0));
    let outcome = world.call(&owner(2), found(c)).unwrap();
    assert!(
        matches!(
            outcome,
            Outcome::SubnetRegistered(RegisterSubnetOutcome { dissolved: Some(Netuid(2)), .. })
        ),
        "{outcome:?}"
    );
    assert_eq!(world.balance(&owner(0)) - before, locked - earned);
}

#[test]
fn rejects_another_subnet_while_all_are_immune() {
    let mut world = World::with(nervure_ledger::params::Params { subnet_immunity: 1_000, ..params() });
    let nodes = [world.register(0, 0), world.register(1, 1), world.register(2, 2)];
    world.call(&owner(0), found(nodes[0])).unwrap();
    world.call(&owner(1), found(nodes[1])).unwrap();
    assert!(matches!(
        world.refusal(&owner(2), found(nodes[2])),
        Rejection::Subnet(SubnetRejection::NoSubnetPlace)
    ));
}

#[test]
fn a_swapped_key_keeps_slot_stake_and_ownership() {
    let mut world = World::new();
    let old = world.register(0, 0);
    world.call(&owner(0), found(old)).unwrap();
    world.call(&owner(0), join(1, old)).unwrap();
    world.call(&owner(0), Call::Stake(Stake { node: old, amount: units(500) })).unwrap();
    let key: NodeKey = node(1);
    let consent = world.consent(&key, &owner(0).node_id());
    world.call(&owner(0), Call::SwapKey(SwapKey { old, consent })).unwrap();
    assert_eq!(world.subnet(1).uid_of(&key.node_id()), Some(Uid(2)));
    assert_eq!(world.subnet(2).owner_uid(), Some(Uid(0)));
    assert_eq!(world.subnet(1).uid_of(&old), None);
}

#[test]
fn a_subnet_takes_so_many_newcomers_in_an_interval() {
    let mut rules = params();
    (rules.registration_interval, rules.max_registrations) = (50, 2);
    let mut world = World::with(rules);
    let nodes = [0, 1, 2].map(|key| world.register(0, key));
    world.call(&owner(0), join(1, nodes[0])).unwrap();
    world.call(&owner(0), join(1, nodes[1])).unwrap();
    let third = world.refusal(&owner(0), join(1, nodes[2]));
    let Rejection::Subnet(SubnetRejection::TooManyRegistrations { most: 2, from, .. }) = third else {
        panic!("{third}")
    };
    assert_eq!(from, BlockHeight(50));
    world.wait(from.0 - 1 - world.state.height().0);
    world.call(&owner(0), join(1, nodes[2])).unwrap();
    // Without the rate, one interval is enough to take all slots: the price alone refuses none of them.
    let mut open = World::new();
    fill(&mut open, 0);
    assert_eq!(open.subnet(1).neurons.len(), usize::from(params().slots));
}

#[test]
fn a_full_subnet_of_few_slots_stays_open() {
    let mut rules = params();
    (rules.slots, rules.subnet.immunity) = (3, 0);
    let mut world = World::with(rules);
    let (third, fourth) = (world.register(0, 0), world.register(1, 1));
    world.call(&owner(0), join(1, third)).unwrap();
    let outcome = world.call(&owner(1), join(1, fourth)).unwrap();
    let replaced =
        matches!(outcome, Outcome::NeuronRegistered(RegisterNeuronOutcome { replaced: Some(_), .. }));
    assert!(replaced, "{outcome:?}");
}
