//! A payment that its recipient submits again after the payer's account was emptied and made again.

use nervure_ledger::transaction::{Call, InclusionRejection, Rejection, Transfer};
use nervure_primitives::Envelope;

use crate::world::{FEE, World, node, owner, units};

/// Owner 1 pays the attacker, closes the account, and gets a new one. Returns the payment.
fn closed_and_made_again(world: &mut World) -> Envelope {
    let (payer, attacker) = (owner(1), node(40).node_id());
    let pay = |to, amount| Call::Transfer(Transfer { to, amount, memo: None });
    let payment = world.sign(&payer, pay(attacker, units(1_000)), 0);
    world.apply(vec![payment.clone()]);
    world.call(&payer, pay(owner(0).node_id(), Transfer::ALL)).unwrap();
    assert!(!world.state.accounts().exists(&payer.node_id()));
    world.call(&owner(0), pay(payer.node_id(), units(10 * FEE))).unwrap();
    payment
}

#[test]
fn a_payment_of_a_former_account_is_not_valid_again() {
    let mut world = World::new();
    let payment = closed_and_made_again(&mut world);
    assert!(matches!(
        world.refused(payment),
        Rejection::Inclusion(InclusionRejection::Nonce { expected: 2, given: 0 })
    ));
}

/// A new account that begins at nonce 0, as all did before: the same bytes are valid for it.
#[test]
fn an_account_that_begins_at_zero_would_pay_twice() {
    let mut world = World::new();
    let payment = closed_and_made_again(&mut world);
    // The same keys and balances in a mesh that never removed an account.
    let fresh = World::new();
    assert_eq!(fresh.state.mesh(), world.state.mesh());
    let (after, _) = fresh.try_after(&[payment]).unwrap();
    assert!(after.accounts().exists(&node(40).node_id()));
}
