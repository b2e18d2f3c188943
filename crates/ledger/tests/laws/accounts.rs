//! Accounts, stakes and envelopes: what is refused, and with which error.

use nervure_ledger::{
    nodes::MAX_TAKE,
    transaction::{
        Call, Outcome, RegisterNode, Rejection, SetTake, Stake, SwapKey, Transaction, Transfer, Unstake,
        UnstakeOutcome,
    },
};
use nervure_primitives::{BlockHeight, Envelope, MeshId};

use crate::world::{World, node, owner, units};

fn pay(amount: u64) -> Call {
    Call::Transfer(Transfer { to: owner(1).node_id(), amount: units(amount) })
}

/// A node of owner 0.
fn with_node() -> World {
    let mut world = World::new();
    let consent = world.consent(&node(0), &owner(0).node_id());
    world.call(&owner(0), Call::RegisterNode(RegisterNode { consent })).unwrap();
    world
}

#[test]
fn a_transfer_moves_the_amount_and_costs_the_fee() {
    let mut world = World::new();
    let issuance = world.state.issuance();
    world.call(&owner(0), pay(5)).unwrap();
    assert_eq!(world.balance(&owner(0)), 1_000_000_000_000 - 15);
    assert_eq!(world.balance(&owner(1)), 1_000_000_000_000 + 5);
    assert_eq!(world.state.issuance(), issuance + 1_000_000_000 - 10, "the fee is recycled");
}

#[test]
fn a_transaction_holds_once_on_one_mesh_and_for_a_while() {
    let mut world = World::new();
    let envelope = world.sign(&owner(0), pay(5), 0);
    world.apply(vec![envelope.clone()]);
    assert!(matches!(world.refused(envelope), Rejection::Nonce { expected: 1, given: 0 }));
    let mut transaction = Transaction { nonce: 1, fee: units(10), expiry: BlockHeight(2), call: pay(5) };
    let late = transaction.seal(&owner(0), &world.state.mesh()).unwrap();
    assert!(matches!(world.refused(late), Rejection::Expired { expiry: BlockHeight(2) }));
    transaction.expiry = BlockHeight(99);
    let foreign = transaction.seal(&owner(0), &MeshId::from_bytes([7; 32])).unwrap();
    assert!(matches!(world.refused(foreign), Rejection::Malformed { .. }));
    transaction.fee = units(9);
    let cheap = transaction.seal(&owner(0), &world.state.mesh()).unwrap();
    assert!(matches!(world.refused(cheap), Rejection::Fee { .. }));
}

#[test]
fn rejects_spending_more_than_the_balance() {
    let mut world = World::new();
    let all = world.balance(&owner(0));
    let envelope = world.sign(&owner(0), pay(all), 0);
    assert!(matches!(world.refused(envelope), Rejection::Balance { .. }), "nothing left for the fee");
    let envelope = world.sign(&owner(0), pay(0), 0);
    assert!(matches!(world.refused(envelope), Rejection::Nothing));
    let envelope = world.sign(&node(9), pay(1), 0);
    assert!(matches!(world.refused(envelope), Rejection::Balance { .. }), "an unknown account");
    world.call(&owner(0), pay(all - 10)).unwrap();
    assert_eq!(world.balance(&owner(0)), 0);
}

#[test]
fn a_node_key_is_only_had_with_its_consent() {
    let mut world = with_node();
    let for_other = world.consent(&node(1), &owner(0).node_id());
    let stolen = world.sign(&owner(1), Call::RegisterNode(RegisterNode { consent: for_other }), 0);
    assert!(matches!(world.refused(stolen), Rejection::ConsentForAnother { .. }));
    let taken = world.consent(&node(0), &owner(1).node_id());
    let taken = world.sign(&owner(1), Call::RegisterNode(RegisterNode { consent: taken }), 0);
    assert!(matches!(world.refused(taken), Rejection::KeyTaken { .. }));
    let forged = Envelope::seal(
        &node(2),
        nervure_ledger::transaction::DOMAIN,
        &world.state.mesh(),
        &owner(1).node_id(),
    );
    let forged = world.sign(&owner(1), Call::RegisterNode(RegisterNode { consent: forged.unwrap() }), 0);
    assert!(matches!(world.refused(forged), Rejection::Consent { .. }), "signed for another purpose");
}

#[test]
fn stake_comes_back_after_the_unbonding_time() {
    let mut world = with_node();
    let id = node(0).node_id();
    let little = world.sign(&owner(1), Call::Stake(Stake { node: id, amount: units(99) }), 0);
    assert!(matches!(world.refused(little), Rejection::StakeTooSmall { .. }));
    world.call(&owner(1), Call::Stake(Stake { node: id, amount: units(500) })).unwrap();
    assert_eq!(world.state.nodes().get(&id).unwrap().stake(), units(500));
    let more = world.sign(&owner(1), Call::Unstake(Unstake { node: id, amount: units(501) }), 0);
    assert!(matches!(world.refused(more), Rejection::NotStaked { .. }));
    // A remainder of 50 would be below the least stake, so that it comes back, too.
    let outcome = world.call(&owner(1), Call::Unstake(Unstake { node: id, amount: units(450) })).unwrap();
    let free = BlockHeight(world.state.height().0 + 3);
    assert_eq!(outcome, Outcome::Unstaked(UnstakeOutcome { node: id, amount: units(500), free }));
    let before = world.balance(&owner(1));
    world.apply(Vec::new());
    world.apply(Vec::new());
    assert_eq!(world.balance(&owner(1)), before, "not yet");
    world.apply(Vec::new());
    assert_eq!(world.balance(&owner(1)), before + 500);
}

#[test]
fn a_take_falls_at_once_and_rises_rarely() {
    let mut world = with_node();
    let id = node(0).node_id();
    let set = |take| Call::SetTake(SetTake { node: id, take });
    let stranger = world.sign(&owner(1), set(1), 0);
    assert!(matches!(world.refused(stranger), Rejection::NotOwner { .. }));
    let greedy = world.sign(&owner(0), set(MAX_TAKE + 1), 0);
    assert!(matches!(world.refused(greedy), Rejection::Take { .. }));
    world.call(&owner(0), set(10)).unwrap();
    world.apply(Vec::new());
    world.call(&owner(0), set(20)).unwrap();
    let again = world.sign(&owner(0), set(30), 0);
    assert!(matches!(world.refused(again), Rejection::TakeTooSoon { .. }));
}

#[test]
fn a_swapped_key_never_comes_back_and_stakes_follow_the_node() {
    let mut world = with_node();
    let (old, new) = (node(0).node_id(), node(1).node_id());
    world.call(&owner(1), Call::Stake(Stake { node: old, amount: units(500) })).unwrap();
    let consent = world.consent(&node(1), &owner(0).node_id());
    world.call(&owner(0), Call::SwapKey(SwapKey { old, consent })).unwrap();
    assert_eq!(world.state.nodes().get(&new).unwrap().stake(), units(500));
    assert!(world.state.nodes().get(&old).is_none());
    let consent = world.consent(&node(0), &owner(0).node_id());
    let back = world.sign(&owner(0), Call::RegisterNode(RegisterNode { consent }), 0);
    assert!(matches!(world.refused(back), Rejection::KeyTaken { .. }));
}
