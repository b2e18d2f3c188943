//! Spam by node keys: an attacker registers node keys and sends the free transactions of validators with them.
//!
//! Defence: the lane of validators is closed to keys without a permit, and its places and weight are its own. Without:
//! node keys are free, share their places first come, first served, and validators cannot set weights.

use nervure_ledger::{
    event::Event,
    mempool::MempoolError,
    transaction::{
        Call, CommitWeights, InclusionRejection, RegisterNode, Rejection, RevealWeights, SignerKey,
        VoteSubnets, consent,
    },
};
use nervure_primitives::{Hash, Netuid, NodeKey, Uid};

use crate::mesh::{Mesh, Offer, TOKEN, honest, key, pay, validator};

const FREE: Offer = Offer { nonce: 0, fee: 0, tip: 0 };

/// Node keys of the attacker.
const NODES: u64 = 16;

/// A mesh in which the attacker has registered its node keys.
fn infested() -> (Mesh, Vec<NodeKey>) {
    let owner = key(50);
    let mut mesh = Mesh::new(&[(owner.clone(), 1_000 * TOKEN)]);
    let nodes: Vec<NodeKey> = (1_000..1_000 + NODES).map(key).collect();
    for (nonce, node) in (0..).zip(&nodes) {
        let consent = consent(node, &owner.node_id(), &mesh.tip().header.mesh).unwrap();
        let call = Call::RegisterNode(RegisterNode { consent });
        let offer = Offer { nonce, ..mesh.going(&call) };
        mesh.send(&owner, offer, call).unwrap();
    }
    while mesh.nonce(&owner, SignerKey::Owner) < NODES {
        mesh.block();
    }
    (mesh, nodes)
}

/// A reveal of 8 KiB, which the ledger rejects.
fn reveal() -> Call {
    let weights = (0..1_100u16).map(|uid| (Uid(uid), u16::MAX)).collect();
    Call::RevealWeights(RevealWeights {
        netuid: Netuid(1),
        weights,
        salt: Hash::of("x", &[]),
        version_key: 0,
    })
}

fn commit(number: u8) -> Call {
    Call::CommitWeights(CommitWeights { netuid: Netuid(1), hash: Hash::of("x", &[&[number]]) })
}

#[test]
fn node_keys_without_a_permit_have_no_free_places() {
    let (mut mesh, nodes) = infested();
    for node in &nodes {
        for call in [reveal(), commit(0), Call::VoteSubnets(VoteSubnets { weights: vec![] })] {
            let refused = mesh.send(node, FREE, call).unwrap_err();
            assert!(
                matches!(refused, MempoolError::Ledger(Rejection::Inclusion(InclusionRejection::Fee { .. }))),
                "{refused}"
            );
            assert!(refused.costs_nothing(), "the peer that sends it is in debt");
        }
    }
    assert!(mesh.proposals.pool().is_empty());
}

#[test]
fn what_the_attacker_pays_for_does_not_keep_validators_or_transfers_out() {
    let (mut mesh, nodes) = infested();
    let validator = validator();
    let owner = key(50).node_id();
    let before = mesh.balance(&owner);
    // As many as a validator may send for free.
    for number in 0..8 {
        for node in &nodes {
            let next = mesh.nonce(node, SignerKey::Node);
            for nonce in next..next + 4 {
                let offer = Offer { nonce, ..mesh.going(&reveal()) };
                let _ = mesh.send(node, offer, reveal());
            }
        }
        let nonce = mesh.nonce(&validator, SignerKey::Node);
        mesh.send(&validator, Offer { nonce, ..FREE }, commit(number)).unwrap();
        let paying = mesh.nonce(&honest(), SignerKey::Owner);
        let offer = Offer { nonce: paying, ..mesh.going(&pay(5)) };
        mesh.send(&honest(), offer, pay(5)).unwrap();
        let events = mesh.block();
        assert!(
            events.iter().any(|event| matches!(event, Event::Rejected { .. })),
            "the attack is in the block"
        );
        assert_eq!(mesh.nonce(&validator, SignerKey::Node), nonce + 1, "the commit is in the next block");
        assert_eq!(mesh.nonce(&honest(), SignerKey::Owner), paying + 1);
    }
    assert!(mesh.balance(&owner) < before, "its owner pays");
}

/// A model of the rule without the defence: every node key sends for free, first come, first served.
fn free_for_all(attackers: usize) -> bool {
    const PLACES: usize = 2_000;
    let places = attackers * 16;
    places < PLACES
}

#[test]
fn without_permits_the_places_of_validators_would_be_anybodys() {
    assert!(free_for_all(0) && !free_for_all(125));
}
