//! Stake that comes right before an epoch ends and leaves right after, for the dividends of the whole epoch.

use nervure_ledger::{
    params::Params,
    subnet::Hyperparameters,
    transaction::{Call, SetWeights, Stake, Unstake},
};
use nervure_primitives::{Netuid, Uid};

use crate::world::{World, node, owner, params, units};

const TEMPO: u64 = 40;

/// The validator of the genesis, with a stake of 1,000,000, weighs the miner.
fn earning() -> World {
    let subnet = Hyperparameters { tempo: TEMPO, commit_reveal: false, ..params().subnet };
    let mut world = World::with(Params { subnet, unbonding: 1, ..params() });
    world.next_epoch(1);
    let weights = vec![(Uid(1), 1)];
    let set = SetWeights { netuid: Netuid(1), weights, version_key: 0 };
    world.call(&node(200), Call::SetWeights(set)).unwrap();
    world.next_epoch(1);
    world.next_epoch(1);
    world
}

#[test]
fn a_stake_of_one_block_earns_one_block() {
    let mut world = earning();
    let validator = node(200).node_id();
    while world.subnet(1).due > world.state.height().0 + 1 {
        world.wait(1);
    }
    let all = |world: &World| world.state.nodes().total_held();
    let (before, staked) = (world.balance(&owner(0)), 99_000_000u64);
    let pot = all(&world);
    // In the block in which the epoch ends: it is computed after the transactions.
    world.call(&owner(0), Call::Stake(Stake { node: validator, amount: units(staked) })).unwrap();
    let mut fees = world.paid;
    let dividends = all(&world) - pot - u128::from(staked);
    let all_of_it = Unstake { node: validator, amount: Unstake::ALL };
    world.call(&owner(0), Call::Unstake(all_of_it)).unwrap();
    assert!(world.state.nodes().stake_of(&validator, &owner(0).node_id()).is_zero(), "it left");
    fees += world.paid;
    world.wait(2);
    let gained = u128::from(world.balance(&owner(0)) + fees).saturating_sub(u128::from(before));
    assert!(dividends > 15_000_000_000, "half of 40 tokens: {dividends}");
    assert!(gained <= dividends / u128::from(TEMPO), "{gained} of {dividends}");
    // With dividends that are paid at once to the stakes that are there, it would have most of them, less the take.
    let at_once = dividends * 82 / 100 * u128::from(staked) / u128::from(staked + 1_000_000);
    assert!(at_once > 20 * gained, "{at_once} against {gained}");
}
