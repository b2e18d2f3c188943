//! A validator's key leaks, and its owner replaces it: the thief uses the former one for as long as it is worth something.
//!
//! Defence: what the node's key signs for the ledger counts no more from the next transaction on, and the former key, which
//! stays in the validator set until the next election, proposes last from the next block on. Without: only who misses
//! heights proposes last, and the thief signs every one.

use std::collections::BTreeSet;

use nervure_ledger::transaction::{
    Call, CommitWeights, JoinValidators, NodeRejection, SignerKey, Stake, SwapKey, Transaction, VoteSubnets,
};
use nervure_primitives::{Amount, BlockHeight, Hash, Netuid, NodeId};

use crate::world::{KEYS, World, node, owner, params, units};

/// The owner whose key leaked, and its node.
const VICTIM: u8 = 1;

/// The key that replaces the leaked one.
const NEW: u8 = 40;

fn id(index: u8) -> NodeId {
    node(index).node_id()
}

/// A mesh in which the nodes of all owners are in office, right after an election.
fn elected() -> World {
    let mut world = World::new();
    for who in 0..KEYS {
        let id = world.register(who, who);
        world.call(&owner(who), Call::Stake(Stake { node: id, amount: units(10_000) })).unwrap();
        world.call(&owner(who), Call::JoinValidators(JoinValidators { node: id })).unwrap();
    }
    world.next_election();
    assert!(world.elected().contains(&id(VICTIM)));
    world
}

fn swap(world: &mut World) {
    let consent = world.consent(&node(NEW), &owner(VICTIM).node_id());
    world.call(&owner(VICTIM), Call::SwapKey(SwapKey { old: id(VICTIM), consent })).unwrap();
}

/// The rule without the defence: those who missed heights propose last.
fn silent_by_heights(world: &World) -> BTreeSet<NodeId> {
    let silent = world.state.roster().liveness().filter(|(_, found)| found.is_silent());
    silent.map(|(member, _)| *member).collect()
}

#[test]
fn a_leaked_key_proposes_last_from_the_block_after_the_swap_until_the_election() {
    let mut world = elected();
    swap(&mut world);
    assert!(world.elected().contains(&id(VICTIM)), "the set stays between elections");
    assert_eq!(world.state.silent_validators(), BTreeSet::from([id(VICTIM)]));
    // Without the defence, the thief proposes as often as before.
    assert_eq!(silent_by_heights(&world), BTreeSet::new());
    world.next_election();
    assert!(world.elected().contains(&id(NEW)) && !world.elected().contains(&id(VICTIM)));
    assert_eq!(world.state.silent_validators(), BTreeSet::new());
}

#[test]
fn a_leaked_key_sends_no_transaction_after_the_swap() {
    let mut world = elected();
    swap(&mut world);
    let calls = [
        Call::CommitWeights(CommitWeights { netuid: Netuid(1), hash: Hash::of("x", &[]) }),
        Call::VoteSubnets(VoteSubnets { weights: vec![(Netuid(1), 1)] }),
    ];
    for call in calls {
        for fee in [0, crate::world::FEE] {
            assert_eq!(call.signer(), SignerKey::Node);
            let terms = Transaction {
                nonce: 0,
                fee: units(fee),
                tip: Amount::ZERO,
                expiry: BlockHeight(world.state.height().0 + 5),
                call: call.clone(),
            };
            let envelope = terms.seal(&node(VICTIM), &world.state.mesh()).unwrap();
            let invalid = world.refused(envelope);
            assert_eq!(invalid, NodeRejection::NoSuchNode { node: id(VICTIM) }.into());
        }
    }
    // Without the swap, the thief is the validator.
    let mut world = elected();
    world.call(&node(VICTIM), Call::VoteSubnets(VoteSubnets { weights: vec![(Netuid(1), 1)] })).unwrap();
    assert!(params().election_interval > 1);
}
