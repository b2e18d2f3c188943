//! Offers that are never paid: a payer offers high tips for many transactions, and its first one takes the money away.
//!
//! Defence: a payer covers all of its pending transactions together, with what they spend. Without: each is covered alone,
//! and the mempool is full of offers that one payment voids.

use nervure_ledger::{
    mempool::MempoolError,
    transaction::{Call, FundsRejection, Rejection},
};

use crate::mesh::{Mesh, Offer, TOKEN, key, pay};

/// The transaction that drains the account, and fifteen with high tips behind it.
fn offers(mesh: &Mesh) -> Vec<(Offer, Call)> {
    let fee = mesh.going(&pay(0)).fee;
    let kept = mesh.tip().state.params().existential_deposit();
    let drain = (Offer { nonce: 0, fee, tip: 0 }, pay(TOKEN - fee - kept));
    let tip = TOKEN / 20;
    let rest = (1..16).map(|nonce| (Offer { nonce, fee: fee + tip, tip }, pay(0)));
    std::iter::once(drain).chain(rest).collect()
}

#[test]
fn a_payer_covers_all_of_its_pending_transactions() {
    let attacker = key(100);
    let mut mesh = Mesh::new(&[(attacker.clone(), TOKEN)]);
    let mut taken = 0;
    for (offer, call) in offers(&mesh) {
        match mesh.send(&attacker, offer, call) {
            Ok(_) => taken += 1,
            Err(refused) => {
                assert!(
                    matches!(refused, MempoolError::Ledger(Rejection::Funds(FundsRejection::Balance { .. }))),
                    "{refused}"
                )
            }
        }
    }
    assert_eq!(taken, 1, "the one that drains it");
    mesh.block();
    assert!(mesh.proposals.pool().is_empty());
}

#[test]
fn without_the_sum_each_would_be_covered_alone() {
    let attacker = key(100);
    let mesh = Mesh::new(&[(attacker.clone(), TOKEN)]);
    for (offer, call) in offers(&mesh) {
        // A mempool of its own for each: nothing else is pending.
        assert!(Mesh::new(&[(attacker.clone(), TOKEN)]).send(&attacker, offer, call).is_ok());
    }
}
