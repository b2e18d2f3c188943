//! A node that owns itself: one key signs its transfers, which are paid for, and its weights, which are free.
//!
//! Defence: the two have a nonce and a place each. Without: they share the place of the key and its nonce, and a pending
//! transfer keeps the weights out.

use std::collections::BTreeMap;

use nervure_ledger::transaction::{Call, CommitWeights, SignerKey};
use nervure_primitives::{Hash, Netuid, NodeId};

use crate::mesh::{Mesh, Offer, pay, validator};

fn commit() -> Call {
    Call::CommitWeights(CommitWeights { netuid: Netuid(1), hash: Hash::of("x", &[]) })
}

#[test]
fn a_pending_transfer_does_not_keep_weights_of_the_same_key_out() {
    let mut mesh = Mesh::new(&[]);
    let key = validator();
    let offer = mesh.going(&pay(5));
    mesh.send(&key, offer, pay(5)).unwrap();
    mesh.send(&key, Offer { nonce: 0, fee: 0, tip: 0 }, commit()).unwrap();
    assert_eq!(mesh.block().len(), 2);
    assert_eq!([SignerKey::Owner, SignerKey::Node].map(|of| mesh.nonce(&key, of)), [1, 1]);
}

#[test]
fn without_places_of_their_own_the_second_would_be_refused() {
    // A model of places by key and nonce, in which the fee decides who stays.
    let mut places: BTreeMap<(NodeId, u64), u64> = BTreeMap::new();
    let mut insert = |key: NodeId, nonce, fee: u64| match places.get(&(key, nonce)) {
        Some(there) if fee <= *there => false,
        Some(_) | None => places.insert((key, nonce), fee).is_none(),
    };
    let key = validator().node_id();
    assert!(insert(key, 0, 1_000));
    assert!(!insert(key, 0, 0), "the commit");
}
