//! A swap of a key that makes every node rewrite the stakes of its many stakers, for one fee.

use nervure_ledger::{
    params::Params,
    spec::AccountSpec,
    state::LedgerState,
    transaction::{Call, Stake, SwapKey},
    tree::{Key, changes},
};
use nervure_primitives::NodeKey;

use crate::world::{World, node, owner, params, units};

fn staker(index: u16) -> NodeKey {
    let mut seed = [77; 32];
    seed[..2].copy_from_slice(&index.to_be_bytes());
    NodeKey::from_seed(&seed)
}

/// A node of owner 0 with so many stakers.
fn staked(stakers: u16) -> World {
    let mut world = World::with(Params { min_stake: 1, ..params() });
    let rich = |index| AccountSpec::new(staker(index).node_id(), units(10_000_000));
    world.spec.accounts.extend((0..stakers).map(rich));
    world.state = LedgerState::genesis(&world.spec).unwrap();
    let id = world.register(0, 0);
    let stake = |index| world.sign(&staker(index), Call::Stake(Stake { node: id, amount: units(100) }), 0);
    let transactions = (0..stakers).map(stake).collect();
    world.apply(transactions);
    assert_eq!(world.state.nodes().stakers(&id).count(), usize::from(stakers));
    world
}

/// The records that a block with a swap writes beyond those of an empty block.
fn swap(stakers: u16) -> usize {
    let mut world = staked(stakers);
    let before = world.state.clone();
    let (empty, _) = world.after(&[]);
    let consent = world.consent(&node(1), &owner(0).node_id());
    world.call(&owner(0), Call::SwapKey(SwapKey { old: node(0).node_id(), consent })).unwrap();
    let (new, who) = (node(1).node_id(), staker(0).node_id());
    assert_eq!(world.state.nodes().stake_of(&new, &who), units(100), "the stakes follow the node");
    let written = changes(Some(&before), &world.state);
    assert!(!written.keys().any(|key| matches!(key, Key::Stake(..))));
    written.len() - changes(Some(&before), &empty).len()
}

#[test]
fn a_swap_writes_as_much_with_many_stakers_as_with_one() {
    let few = swap(1);
    assert_eq!(swap(400), few);
    // With stakes under the node's key, each of them is removed and written again.
    let world = staked(400);
    let moved = 2 * world.state.nodes().stakers(&node(0).node_id()).count();
    assert!(moved >= 800 && few < 10, "{few} records against {moved}");
}
