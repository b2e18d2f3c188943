//! Records without end: dust accounts, node keys, retired keys, votes and anchor keys, which all nodes keep for ever.
//!
//! Without deposits each costs a fee once. What is measured is what an attacker with a fixed sum leaves behind, and how many
//! tokens that locks for each byte of the state that a new node has to fetch.

use nervure_anchor::{AnchorKey, ProofOfPossession};
use nervure_ledger::{
    params::Params,
    transaction::{Call, DeregisterNode, RegisterAnchorKey, RegisterNode, SwapKey, Transfer, VoteSubnets},
    tree::{Key, Record, changes},
};
use nervure_primitives::{Amount, Envelope, Netuid, NodeKey, cbor};

use crate::world::{World, owner, params, units};

/// What the attacker spends, in base units; it has as much in the account that it has to keep.
const BUDGET: u64 = 40_000_000;

/// Transactions that it sends at most: in the time that a test has.
const MAX_UNITS: u64 = 300;

/// The attacker.
fn attacker() -> NodeKey {
    owner(3)
}

fn key(number: u64) -> NodeKey {
    let mut seed = [33; 32];
    seed[..8].copy_from_slice(&number.to_be_bytes());
    NodeKey::from_seed(&seed)
}

/// A mesh where the attacker has its budget, with the deposits of a public mesh or without any.
fn mesh(defended: bool) -> World {
    let deposit_per_byte = if defended { Params::default().deposit_per_byte } else { 0 };
    let mut world =
        World::with(Params { deposit_per_byte, max_lifetime: 100, evidence_window: 2, ..params() });
    let kept = world.state.params().existential_deposit();
    let all = world.balance(&attacker());
    let rest =
        Transfer { to: owner(0).node_id(), amount: units(all - BUDGET - kept - world_fee()), memo: None };
    world.call(&attacker(), Call::Transfer(rest)).unwrap();
    world
}

/// What may be paid for one transaction.
const fn world_fee() -> u64 {
    crate::world::FEE
}

/// Sends what `next` makes, one a block, until the ledger takes no more of it or [`MAX_UNITS`] were sent. Returns how many took effect.
fn send(world: &mut World, mut next: impl FnMut(&World, u64) -> Envelope) -> u64 {
    let mut done = 0;
    for number in 0..MAX_UNITS {
        let envelope = next(world, number);
        match world.try_after(std::slice::from_ref(&envelope)) {
            Ok((_, events)) if matches!(events[0], nervure_ledger::event::Event::Applied { .. }) => {}
            Ok(_) | Err(_) => break,
        }
        world.apply(vec![envelope]);
        done += 1;
    }
    done
}

fn dust(world: &World, number: u64) -> Envelope {
    let to = key(number).node_id();
    let least = world.state.params().existential_deposit().max(1);
    world.sign(&attacker(), Call::Transfer(Transfer { to, amount: units(least), memo: None }), 0)
}

fn node_key(world: &World, number: u64) -> Envelope {
    let consent = world.consent(&key(number), &attacker().node_id());
    world.sign(&attacker(), Call::RegisterNode(RegisterNode { consent }), 0)
}

/// Swaps one node's key again and again.
fn retired_key(world: &World, number: u64) -> Envelope {
    let consent = world.consent(&key(number), &attacker().node_id());
    match number.checked_sub(1) {
        None => world.sign(&attacker(), Call::RegisterNode(RegisterNode { consent }), 0),
        Some(last) => {
            let old = key(last).node_id();
            world.sign(&attacker(), Call::SwapKey(SwapKey { old, consent }), 0)
        }
    }
}

/// A node, its vote, its anchor key, and the next node.
fn vote_and_anchor_key(world: &World, number: u64) -> Envelope {
    let node = key(number / 3);
    match number % 3 {
        0 => node_key(world, number / 3),
        1 => {
            let weights = vec![(Netuid(1), 1)];
            world.sign(&node, Call::VoteSubnets(VoteSubnets { weights }), 0)
        }
        _ => {
            let mut secret = [1; 32];
            secret[..8].copy_from_slice(&number.to_be_bytes());
            let anchor = AnchorKey::from_secret(&secret).unwrap();
            let possession = ProofOfPossession::prove(&anchor, &node.node_id(), &world.state.mesh());
            let call = RegisterAnchorKey { address: anchor.address(), possession };
            world.sign(&node, Call::RegisterAnchorKey(call), 0)
        }
    }
}

/// How many records there are beyond those of `before`.
fn more(before: &World, after: &World) -> usize {
    let count = |world: &World| changes(None, &world.state).len();
    count(after) - count(before)
}

/// How many records the attack leaves with deposits and without.
fn left(attack: fn(&World, u64) -> Envelope) -> [usize; 2] {
    [true, false].map(|defended| {
        let before = mesh(defended);
        let mut world = mesh(defended);
        send(&mut world, attack);
        more(&before, &world)
    })
}

#[test]
fn accounts_of_dust_are_as_many_as_the_attacker_has_deposits_for() {
    let [defended, free] = left(dust);
    // 0.04 tokens are worth eight accounts of 0.005.
    assert!(defended <= 8 && free == MAX_UNITS as usize, "{defended} against {free}");
}

#[test]
fn node_keys_are_as_many_as_the_attacker_has_deposits_for() {
    let [defended, free] = left(node_key);
    assert!(defended <= 2 && free == MAX_UNITS as usize, "{defended} against {free}");
}

#[test]
fn votes_and_anchor_keys_are_as_many_as_the_attacker_has_deposits_for() {
    let [defended, free] = left(vote_and_anchor_key);
    assert!(defended <= 4 && free == MAX_UNITS as usize, "{defended} against {free}");
}

#[test]
fn retired_keys_are_bounded_by_deposits_and_by_time() {
    let [defended, free] = left(retired_key);
    assert!(defended <= 6, "{defended}");
    // Even without deposits they go after a while: 100 blocks here. Kept for ever, there would be as many as swaps.
    assert!((90..120).contains(&free), "{free}");
    let swaps = MAX_UNITS as usize;
    assert!(swaps > 2 * free);
}

/// The attacker has all deposits back in the end, and the mesh its state: what it paid is the fees.
#[test]
fn what_goes_gives_its_deposit_back() {
    let mut world = mesh(true);
    let before = (world.balance(&attacker()), changes(None, &world.state).len());
    let mut fees = 0;
    for number in 0..2 {
        let envelope = node_key(&world, number);
        world.apply(vec![envelope]);
        fees += world.paid;
    }
    for number in 0..2 {
        world
            .call(&attacker(), Call::DeregisterNode(DeregisterNode { node: key(number).node_id() }))
            .unwrap();
        fees += world.paid;
    }
    assert_eq!((world.balance(&attacker()) + fees, changes(None, &world.state).len()), before);
}

/// What new records lock, for each byte of their encoding.
#[test]
fn every_byte_that_an_attacker_adds_to_a_snapshot_locks_ten_thousand_base_units() {
    for attack in [dust, node_key, vote_and_anchor_key] {
        let (before, mut world) = (mesh(true), mesh(true));
        let had = world.balance(&attacker());
        let done = send(&mut world, attack);
        let paid = world.state.issuance();
        let bytes = |world: &World| -> usize {
            let all = changes(None, &world.state).into_iter().filter(|(key, _)| *key != Key::Chain);
            all.filter_map(|(_, record): (_, Option<Record>)| Some(cbor::encode(&record?).unwrap().len()))
                .sum()
        };
        let locked = had - world.balance(&attacker());
        let added = (bytes(&world) - bytes(&before)) as u64;
        assert!(done > 0 && paid > 0 && locked / added >= 10_000, "{locked} for {added} bytes");
    }
    let _ = Amount::ZERO;
}
