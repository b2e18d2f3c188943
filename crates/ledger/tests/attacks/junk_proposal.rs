//! Junk in a block: a proposer fills it with transactions that no account pays for.
//!
//! Defence: such a block is invalid. Without: the transactions are rejected one by one, and the block is as good as an
//! empty one; every node verifies and keeps it for ever.

use nervure_ledger::{
    chain::BlockError,
    transaction::{
        Call, FundsRejection, InclusionRejection, NodeRejection, Rejection, Transaction, VoteSubnets,
    },
};
use nervure_primitives::{BlockHeight, Envelope, MeshId, NodeKey};

use crate::mesh::{Mesh, honest, key, pay, units};

type Change = fn(&mut Transaction);

/// A transfer of `signer` that is in order but for `change`.
fn with(mesh: &Mesh, signer: &NodeKey, change: Change) -> Envelope {
    let terms = mesh.going(&pay(5));
    let expiry = BlockHeight(mesh.tip().header.height.0 + 5);
    let mut transaction =
        Transaction { nonce: 0, fee: units(terms.fee), tip: units(terms.tip), expiry, call: pay(5) };
    change(&mut transaction);
    transaction.seal(signer, &mesh.tip().header.mesh).unwrap()
}

fn refused(mesh: &Mesh, junk: Envelope) -> Rejection {
    let good = with(mesh, &honest(), |_| ());
    match mesh.next(vec![good, junk]).unwrap_err() {
        BlockError::Transaction(invalid) => {
            assert_eq!(invalid.index, 1);
            invalid.reason
        }
        other => panic!("{other}"),
    }
}

#[test]
fn a_block_with_what_nobody_pays_for_is_invalid() {
    let mesh = Mesh::new(&[(key(100), 50)]);
    let of = |seed, change| refused(&mesh, with(&mesh, &key(seed), change));
    assert!(matches!(of(99, |_| ()), Rejection::Funds(FundsRejection::Balance { .. })), "an unknown account");
    assert!(matches!(of(100, |_| ()), Rejection::Funds(FundsRejection::Balance { .. })), "a poor account");
    assert!(matches!(
        of(100, |one| one.fee = units(0)),
        Rejection::Inclusion(InclusionRejection::Fee { .. })
    ));
    assert!(matches!(of(100, |one| one.nonce = 3), Rejection::Inclusion(InclusionRejection::Nonce { .. })));
    assert!(matches!(
        of(100, |one| one.expiry = BlockHeight(0)),
        Rejection::Inclusion(InclusionRejection::Expired { .. })
    ));
    assert!(matches!(
        of(100, |one| one.expiry = BlockHeight(u64::MAX)),
        Rejection::Inclusion(InclusionRejection::ExpiryTooFar { .. })
    ));
    let vote: Change = |one| one.call = Call::VoteSubnets(VoteSubnets { weights: vec![] });
    assert!(matches!(of(100, vote), Rejection::Node(NodeRejection::NoSuchNode { .. })));
    let twice = with(&mesh, &honest(), |_| ());
    assert!(matches!(
        refused(&mesh, twice),
        Rejection::Inclusion(InclusionRejection::Nonce { expected: 1, given: 0 })
    ));
    let elsewhere = MeshId::from_bytes([9; 32]);
    let foreign = Envelope::seal(&key(100), nervure_ledger::transaction::DOMAIN, &elsewhere, &1u8).unwrap();
    assert!(matches!(refused(&mesh, foreign), Rejection::Inclusion(InclusionRejection::Malformed { .. })));
}

#[test]
fn without_the_rule_junk_would_be_a_block_like_an_empty_one() {
    let mesh = Mesh::new(&[]);
    let junk = with(&mesh, &key(99), |_| ());
    // A model of blocks that leave out what they cannot have instead of being invalid: what they change.
    let lenient = |block: &[Envelope]| {
        let valid = |one: &&Envelope| mesh.next(vec![(*one).clone()]).is_ok();
        let kept = block.iter().filter(valid).cloned().collect();
        mesh.next(kept).unwrap().block.header.state
    };
    assert_eq!(lenient(&vec![junk; 100]), lenient(&[]));
}
