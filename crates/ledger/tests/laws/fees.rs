//! The base fee: it follows how full blocks are, any client can verify it, and what is paid follows it.

use nervure_ledger::{
    state::LedgerState,
    transaction::{Call, Checked, FundsRejection, Rejection, Transaction, Transfer},
    tree::{Key, MemoryTree, Record, StateTree, changes},
};
use nervure_primitives::Envelope;

use crate::world::{World, owner, params, units};

fn pay() -> Call {
    Call::Transfer(Transfer { to: owner(1).node_id(), amount: units(1), memo: None })
}

/// A world whose blocks have room for a few transfers.
fn small() -> World {
    let mut world = World::new();
    world.spec.consensus.block_milliseconds = 5;
    let records = changes(None, &world.state).into_values().flatten();
    world.state = LedgerState::from_records(&world.spec, records).unwrap();
    world
}

/// As many transfers as a block has room for.
fn full(world: &World) -> Vec<Envelope> {
    let mut block = Vec::new();
    while world.try_after(&block).is_ok() {
        block.push(world.sign(&owner(0), pay(), block.len() as u64));
    }
    block.pop();
    block
}

#[test]
fn full_blocks_raise_the_base_fee_and_empty_ones_lower_it_to_its_floor() {
    let mut world = small();
    let floor = world.state.base_fee();
    assert_eq!(floor.0, params().min_base_fee);
    let mut costs = Vec::new();
    for _ in 0..40 {
        let (before, block) = (world.state.base_fee(), full(&world));
        world.apply(block);
        let after = world.state.base_fee();
        assert!(after > before && after.0 - before.0 <= (before.0 / 8).max(1), "{before:?} to {after:?}");
        costs.push(world.paid);
    }
    assert!(costs[39] > costs[0] * 5, "full blocks cost more and more: {costs:?}");
    for _ in 0..100 {
        let before = world.state.base_fee();
        world.wait(1);
        assert!(world.state.base_fee() <= before);
    }
    assert_eq!(world.state.base_fee(), floor);
}

#[test]
fn the_price_of_a_block_is_the_base_fee_of_the_state_before_it_and_is_proven() {
    let mut world = small();
    let block = full(&world);
    world.apply(block);
    let tree = MemoryTree::of(&world.state).unwrap();
    let (record, proof) = tree.prove(&Key::Chain).unwrap();
    let record = record.unwrap();
    assert_eq!(proof.verify(&tree.root().unwrap(), &record), Ok(()));
    let Record::Chain(chain) = record else { panic!("{record:?}") };
    assert_eq!(chain.base_fee, world.state.base_fee());
    let envelope = world.sign(&owner(0), pay(), 0);
    let weight = Checked::new(&envelope, &world.state.mesh()).weight();
    let cost = chain.base_fee.cost(weight);
    let trial =
        world.state.try_transaction(&Default::default(), &Checked::new(&envelope, &world.state.mesh()));
    assert_eq!(trial.unwrap().paid, units(cost));
    world.apply(vec![envelope]);
    assert_eq!(world.paid, cost);
    assert!(Transaction::greatest_weight(&pay()) >= weight);
}

#[test]
fn a_trial_says_what_is_wrong_with_a_call_before_who_would_pay_for_it() {
    let world = World::new();
    let tried = |key: u8, call| {
        let envelope = world.sign(&owner(key), call, 3);
        world.state.try_transaction(&Default::default(), &Checked::new(&envelope, &world.state.mesh()))
    };
    assert!(tried(0, pay()).is_ok(), "earlier ones may be pending");
    let nothing = Call::Transfer(Transfer { to: owner(1).node_id(), amount: units(0), memo: None });
    assert_eq!(tried(0, nothing.clone()), Err(FundsRejection::Nothing.into()));
    assert_eq!(tried(77, nothing), Err(FundsRejection::Nothing.into()), "although no account could pay");
    assert!(matches!(tried(77, pay()), Err(Rejection::Funds(FundsRejection::Balance { .. }))));
}
