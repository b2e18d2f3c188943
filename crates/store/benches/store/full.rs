//! 128 subnets of 256 neurons, every validator with weights and bonds for all neurons.

use std::{fs, num::NonZeroUsize, sync::Arc};

use nervure_ledger::{
    chain::{Draft, Tip},
    spec::{MeshSpec, NodeSpec, Role, SubnetSpec},
    transaction::{Call, SetWeights, Transaction},
    tree::{Key, MemoryTree, StateTree},
};
use nervure_primitives::{Amount, BlockHeight, Envelope, Netuid, Uid};
use nervure_store::{Store, StoreOptions};

use super::{key, line, timed};

/// Subnets.
const SUBNETS: u16 = 128;

/// Neurons of a subnet, the first of which validate.
const NEURONS: u64 = 256;
const VALIDATORS: u64 = 64;

/// A mesh with all places taken; the same validators in every subnet, miners of its own in each.
fn spec() -> MeshSpec {
    let mut spec = MeshSpec::public("full");
    spec.economy.subnet.commit_reveal = false;
    spec.economy.subnet.weights_interval = 0;
    let netuids: Vec<Netuid> = (1..=SUBNETS).map(Netuid).collect();
    let subnet = |netuid| SubnetSpec::new(netuid, format!("subnet-{netuid}"), None);
    spec.subnets = netuids.iter().copied().map(subnet).collect();
    let node = |number, role, netuids, stake| {
        NodeSpec::new(key(number).node_id(), role)
            .in_subnets(netuids)
            .with_stake(Amount::from_base_units(stake))
    };
    let validator = |number| node(number, Role::Validator, netuids.clone(), 1_000_000_000_000 + number);
    spec.nodes = (0..VALIDATORS).map(validator).collect();
    for (at, netuid) in (0..).zip(&netuids) {
        let first = 1_000 + at * NEURONS;
        let miner = |number| node(first + number, Role::Miner, vec![*netuid], 0);
        spec.nodes.extend((VALIDATORS..NEURONS).map(miner));
    }
    spec
}

/// Weights of every validator of a subnet, in a block.
fn weights(tip: &Tip, netuid: Netuid) -> Vec<Envelope> {
    let row: Vec<_> = (0..NEURONS as u16).map(|uid| (Uid(uid), 1 + uid * 97 % 1_000)).collect();
    let envelope = |number| {
        let key = key(number);
        let nonce = tip.state.nodes().get(&key.node_id()).map_or(0, |node| node.nonce);
        let call = Call::SetWeights(SetWeights { netuid, weights: row.clone(), version_key: 0 });
        let expiry = BlockHeight(tip.header.height.0 + 100);
        let transaction = Transaction { nonce, fee: Amount::ZERO, tip: Amount::ZERO, expiry, call };
        transaction.seal(&key, &tip.header.mesh).unwrap()
    };
    (0..VALIDATORS).map(envelope).collect()
}

/// Resident memory in MiB.
fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok()).unwrap_or(0) / 1_024
}

/// Builds the mesh and says what it costs.
pub(super) fn report(threads: NonZeroUsize) {
    println!("{SUBNETS} subnets of {NEURONS} neurons, every weight and bond there:");
    let before = resident();
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("chain.redb");
    let spec = spec();
    let ((store, mut tip), begun) = timed(|| Store::open(&path, &spec, StoreOptions::default()).unwrap());
    line("the genesis, written", begun, "");
    // A block for each subnet's weights, and on until all had two epochs.
    let mut times = Vec::new();
    for block in 1..=800u16 {
        let transactions = if block <= SUBNETS { weights(&tip, Netuid(block)) } else { Vec::new() };
        let (next, time) = timed(|| {
            let next =
                tip.next(&store.read().unwrap(), Draft::uncertified(&tip, transactions), threads).unwrap();
            store.commit(&next, None).unwrap();
            next
        });
        times.push((next.events.len(), time));
        tip = next.tip();
    }
    let of = |events: usize| {
        let times: Vec<_> =
            times.iter().filter(|(count, _)| *count == events).map(|(_, time)| *time).collect();
        super::median(times)
    };
    line("an empty block, durable", of(0), "128 pots and prices change");
    line("a block with one epoch, durable", of(1), "");
    line("a block with 64 full rows of weights", of(65), "and an epoch");
    let state = Arc::new(tip.state.clone());
    let (tree, time) = timed(|| MemoryTree::of(&state).unwrap());
    line("the whole tree from the state", time, "");
    let (_, time) = timed(|| tree.prove(&Key::Neuron(Netuid(64), Uid(200))).unwrap());
    line("a proof of one neuron", time, "");
    drop((tree, store));
    let file = fs::metadata(&path).unwrap().len() >> 20;
    let ((store, again), time) = timed(|| Store::open(&path, &spec, StoreOptions::default()).unwrap());
    assert_eq!(again, tip);
    line("opening it again", time, &format!("every page and the root checked, {file} MiB"));
    drop((again, state, store));
    let with = resident();
    drop(tip);
    println!("resident: {before} MiB before, {with} MiB with one state, {} MiB without", resident());
}
