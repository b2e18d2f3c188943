//! Numbers of subnets and keys of nodes that are used again: nothing of the former one is taken for the next one.

use nervure_ledger::{
    params::Params,
    state::ShareChange,
    transaction::{
        Call, NodeRejection, Outcome, RegisterNode, RegisterSubnet, RegisterSubnetOutcome,
        ReportEquivocation, Stake, SwapKey, VoteSubnets,
    },
};
use nervure_primitives::{BlockHeight, Netuid, NodeId};

use crate::{
    equivocation::{elected, equivocation},
    world::{World, node, owner, params, units},
};

/// Blocks before a number is used again.
const REST: u64 = 7;

/// Owner `who` founds a subnet with a new node; its number, and the one that was dissolved for it.
fn found(world: &mut World, who: u8, key: u8) -> (Netuid, Option<Netuid>) {
    let node = world.register(who, key);
    let call = RegisterSubnet { name: "n".into(), node, max_lock: units(u64::MAX), mechanism: None };
    match world.call(&owner(who), Call::RegisterSubnet(call)).unwrap() {
        Outcome::SubnetRegistered(RegisterSubnetOutcome { netuid, dissolved, .. }) => (netuid, dissolved),
        other => panic!("{other:?}"),
    }
}

fn moves(world: &World) -> bool {
    world.state.share_changes().iter().any(|ShareChange { now, next, .. }| now != next)
}

#[test]
fn the_number_of_a_subnet_is_used_again_after_a_rest() {
    let mut world = World::with(Params { netuid_rest: REST, ..params() });
    assert_eq!([found(&mut world, 0, 20).0, found(&mut world, 1, 21).0], [Netuid(2), Netuid(3)]);
    world.wait(params().subnet_immunity);
    let (number, dissolved) = found(&mut world, 2, 22);
    assert_eq!((number, dissolved), (Netuid(4), Some(Netuid(2))));
    let dissolved = Netuid(2);
    let resting = world.state.resting()[&dissolved];
    assert_eq!(resting.free, BlockHeight(world.state.height().0 + REST));
    world.wait(REST);
    let (number, _) = found(&mut world, 1, 41);
    assert_eq!(
        (number, world.subnet(number.0).epoch),
        (dissolved, resting.epoch),
        "no epoch of a number comes twice"
    );
    assert!(resting.epoch > 0 && !world.state.resting().contains_key(&dissolved));
}

#[test]
fn a_vote_for_a_former_subnet_is_none_for_the_next_one_with_its_number() {
    let mut world = World::with(Params { netuid_rest: REST, ..params() });
    let voter = world.register(3, 30);
    world.call(&owner(3), Call::Stake(Stake { node: voter, amount: units(100_000_000_000) })).unwrap();
    found(&mut world, 0, 20);
    found(&mut world, 1, 21);
    world.wait(params().subnet_immunity);
    // Right before it is dissolved, so that it does not grow by it.
    let poorest = poorest(&world);
    let vote = VoteSubnets { weights: vec![(poorest, 9)] };
    world.call(&node(30), Call::VoteSubnets(vote.clone())).unwrap();
    assert!(moves(&world));
    assert_eq!(found(&mut world, 2, 22).1, Some(poorest));
    assert!(!moves(&world), "nothing that it is for is there");
    world.wait(REST);
    assert_eq!(found(&mut world, 2, 23).0, poorest);
    assert!(!moves(&world), "it was not for this one");
    world.call(&node(30), Call::VoteSubnets(vote)).unwrap();
    assert!(moves(&world));
}

/// The subnet that is dissolved next, if none is immune.
fn poorest(world: &World) -> Netuid {
    let by_emission = world.state.subnets().iter().map(|(netuid, subnet)| (subnet.average, *netuid));
    by_emission.min().unwrap().1
}

fn register(world: &World, key: u8, who: u8) -> Call {
    let consent = world.consent(&node(key), &owner(who).node_id());
    Call::RegisterNode(RegisterNode { consent })
}

fn swap(world: &mut World, old: u8, new: u8) {
    let consent = world.consent(&node(new), &owner(1).node_id());
    let old = node(old).node_id();
    world.call(&owner(1), Call::SwapKey(SwapKey { old, consent })).unwrap();
}

fn report(world: &mut World, key: u8, height: u64) {
    let evidence = equivocation(&world.state.mesh(), &node(key), height).into();
    world.call(&node(0), Call::ReportEquivocation(ReportEquivocation { evidence })).unwrap();
}

#[test]
fn a_key_that_equivocated_never_comes_back() {
    let mut world = elected(100_000, 0);
    let height = world.state.height().0 + 1;
    world.wait(1);
    // It gets another key before it is reported, and a third one after that.
    swap(&mut world, 1, 50);
    let free = |world: &World, id: NodeId| world.state.nodes().retired(&id).map(|key| key.free);
    assert!(matches!(free(&world, node(1).node_id()), Some(Some(_))));
    report(&mut world, 1, height);
    assert_eq!(free(&world, node(1).node_id()), Some(None));
    swap(&mut world, 50, 51);
    assert_eq!(free(&world, node(50).node_id()), Some(None));
    world.wait(60);
    for key in [1, 50] {
        let call = register(&world, key, 2);
        assert_eq!(
            world.refusal(&owner(2), call),
            NodeRejection::KeyTaken { node: node(key).node_id() }.into()
        );
    }
    let kept: u64 =
        world.state.nodes().retired_of(owner(1).node_id()).map(|(_, key)| key.deposit.base_units()).sum();
    assert_eq!(kept, 1_000, "nor do their deposits");
}
