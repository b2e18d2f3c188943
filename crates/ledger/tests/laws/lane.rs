//! The lane of validators: who may use it, how often, and that its weight is its own.

use nervure_ledger::{
    lane::LaneScope,
    params::Params,
    state::LedgerState,
    transaction::{
        Call, CommitWeights, InclusionRejection, Rejection, SetWeights, SwapKey, Transaction, Transfer,
        VoteSubnets,
    },
    tree::{Key, MemoryTree, StateTree, changes},
};
use nervure_primitives::{Hash, Netuid, NodeKey, Uid};

use crate::world::{FEE, World, node, owner, params, units};

const QUOTA: u16 = 3;

const SUBNET: LaneScope = LaneScope::Subnet(Netuid(1));

/// A world in which epochs and elections are rare.
fn world() -> World {
    let mut rules = Params { lane_quota: QUOTA, election_interval: 40, ..params() };
    rules.subnet.tempo = 40;
    let mut world = World::with(rules);
    world.next_epoch(1);
    world
}

fn commit(number: u8) -> Call {
    Call::CommitWeights(CommitWeights { netuid: Netuid(1), hash: Hash::of("any", &[&[number]]) })
}

/// A vote on a subnet that is not there: it is always rejected.
fn vote() -> Call {
    Call::VoteSubnets(VoteSubnets { weights: vec![(Netuid(99), 1)] })
}

/// `call` with a fee of so much.
fn send(world: &World, key: &NodeKey, call: Call, fee: u64) -> nervure_primitives::Envelope {
    let nonce = world.state.nodes().get(&key.node_id()).unwrap().nonce;
    world.seal(key, Transaction { nonce, fee: units(fee), ..world.terms(call) })
}

#[test]
fn a_validator_is_free_until_its_quota_is_used_and_then_its_owner_pays() {
    let (mut world, validator) = (world(), node(200));
    let id = validator.node_id();
    for (scope, call) in [(SUBNET, commit as fn(u8) -> Call), (LaneScope::Election, |_| vote())] {
        for used in 0..QUOTA {
            assert_eq!(world.state.lane().used(scope, &id), used, "what is rejected counts too");
            world.apply(vec![send(&world, &validator, call(used as u8), 0)]);
            assert_eq!(world.paid, 0);
        }
        let refused = world.refused(send(&world, &validator, call(9), 0));
        assert_eq!(refused, InclusionRejection::LaneQuota { most: QUOTA }.into());
        let before = world.balance(&validator);
        world.apply(vec![send(&world, &validator, call(9), FEE)]);
        assert!(world.paid > 0 && world.balance(&validator) == before - world.paid);
    }
}

#[test]
fn an_epoch_and_an_election_make_quotas_whole_again() {
    let (mut world, validator) = (world(), node(200));
    world.apply(vec![send(&world, &validator, commit(0), 0)]);
    world.apply(vec![send(&world, &validator, vote(), 0)]);
    let used = |world: &World| {
        [SUBNET, LaneScope::Election].map(|scope| world.state.lane().used(scope, &validator.node_id()))
    };
    assert_eq!(used(&world), [1, 1]);
    world.next_epoch(1);
    assert_eq!(used(&world)[0], 0);
    while !world.state.height().0.is_multiple_of(40) {
        world.wait(1);
    }
    assert_eq!(used(&world), [0, 0]);
}

#[test]
fn a_node_without_a_permit_and_one_that_is_not_elected_have_no_lane() {
    let (mut world, miner) = (world(), node(201));
    for call in [commit(0), vote()] {
        let free = send(&world, &miner, call.clone(), 0);
        assert!(
            matches!(world.refused(free), Rejection::Inclusion(InclusionRejection::Fee { .. })),
            "{call:?}"
        );
        world.apply(vec![send(&world, &miner, call, FEE)]);
        assert!(world.paid > 0);
    }
    let own = Call::SetWeights(SetWeights { netuid: Netuid(7), weights: vec![(Uid(0), 1)], version_key: 0 });
    let free = send(&world, &node(200), own, 0);
    assert!(
        matches!(world.refused(free), Rejection::Inclusion(InclusionRejection::Fee { .. })),
        "no such subnet"
    );
}

#[test]
fn another_key_is_no_other_quota() {
    let mut world = world();
    let consent = world.consent(&node(10), &node(200).node_id());
    for number in 0..QUOTA {
        world.apply(vec![send(&world, &node(200), commit(number as u8), 0)]);
    }
    world.call(&node(200), Call::SwapKey(SwapKey { old: node(200).node_id(), consent })).unwrap();
    let free = send(&world, &node(10), commit(9), 0);
    assert!(matches!(world.refused(free), Rejection::Inclusion(InclusionRejection::LaneQuota { .. })));
}

#[test]
fn what_validators_used_is_proven_and_rebuilt() {
    let mut world = world();
    world.apply(vec![send(&world, &node(200), commit(0), 0)]);
    let tree = MemoryTree::of(&world.state).unwrap();
    let (record, proof) = tree.prove(&Key::Lane(SUBNET, node(200).node_id())).unwrap();
    assert_eq!(proof.verify(&tree.root().unwrap(), &record.unwrap()), Ok(()));
    let records = changes(None, &world.state).into_values().flatten();
    assert_eq!(LedgerState::from_records(&world.spec, records).unwrap(), world.state);
}

#[test]
fn what_pays_cannot_take_the_weight_of_the_lane_nor_the_lane_that_of_others() {
    let mut world = world();
    // Room for some transfers and for one vote.
    world.spec.consensus.block_milliseconds = 5;
    let records = changes(None, &world.state).into_values().flatten();
    world.state = LedgerState::from_records(&world.spec, records).unwrap();
    let pay = Call::Transfer(Transfer { to: owner(1).node_id(), amount: units(1), memo: None });
    let mut block = Vec::new();
    let full = loop {
        block.push(world.sign(&owner(0), pay.clone(), block.len() as u64));
        if let Err(invalid) = world.try_after(&block) {
            break invalid;
        }
    };
    assert!(matches!(full.reason, Rejection::Inclusion(InclusionRejection::BlockFull { .. })), "{full}");
    block.pop();
    assert!(block.len() > 3, "{full}");
    block.push(send(&world, &node(200), vote(), 0));
    assert!(world.try_after(&block).is_ok(), "the lane is not theirs to fill");
    let second = Transaction { nonce: 1, fee: units(0), ..world.terms(vote()) };
    let block = [send(&world, &node(200), vote(), 0), world.seal(&node(200), second)];
    assert!(matches!(
        world.try_after(&block).unwrap_err().reason,
        Rejection::Inclusion(InclusionRejection::BlockFull { .. })
    ));
}
