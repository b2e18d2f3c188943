//! A good transaction with a wrong signature: an attacker sends it, or proposes it, so that the good one is refused.
//!
//! Defence: the id is a hash of the signature too. Without: the two have one id, and a node that remembers that the id is
//! malformed, or was in a block, refuses the good one.

use nervure_ledger::{
    chain::BlockError,
    transaction::{InclusionRejection, MAX_LEN, Rejection},
};
use nervure_primitives::{Envelope, Hash};

use crate::mesh::{Mesh, honest, pay};

/// The same statement of the same signer with another signature.
fn forged(good: &Envelope) -> Envelope {
    let mut bytes = good.encode().unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    Envelope::decode(&bytes, MAX_LEN).unwrap()
}

#[test]
fn a_wrong_signature_makes_a_block_invalid_and_another_id() {
    let mut mesh = Mesh::new(&[]);
    let good = mesh.seal(&honest(), mesh.going(&pay(5)), pay(5));
    let forged = forged(&good);
    assert_ne!(forged.id(), good.id());
    let refused = mesh.next(vec![forged.clone()]).unwrap_err();
    let BlockError::Transaction(invalid) = refused else { panic!("{refused}") };
    assert!(
        matches!(invalid.reason, Rejection::Inclusion(InclusionRejection::Malformed { .. }))
            && invalid.id == forged.id()
    );
    assert!(mesh.proposals.insert(forged).unwrap_err().blames_sender());
    mesh.proposals.insert(good).unwrap();
    assert_eq!(mesh.block().len(), 1);
}

#[test]
fn without_the_signature_in_the_id_the_two_would_be_one() {
    let mesh = Mesh::new(&[]);
    let good = mesh.seal(&honest(), mesh.going(&pay(5)), pay(5));
    let id =
        |envelope: &Envelope| Hash::of("nervure/envelope", &[envelope.signer().as_bytes(), envelope.body()]);
    assert_eq!(id(&forged(&good)), id(&good));
}
