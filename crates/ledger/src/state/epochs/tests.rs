use nervure_consensus::yuma::Cell;
use nervure_primitives::{NodeId, Uid};

use super::*;
use crate::spec::{MeshSpec, SubnetSpec};

/// Subnets of a full mesh.
const SUBNETS: u16 = 128;

/// A full mesh: 128 subnets of 256 neurons, 64 of them validators with a weight for every neuron. Its owners aligned all
/// epochs to end at block 360.
fn aligned() -> LedgerState {
    let mut spec = MeshSpec::public("aligned");
    spec.subnets = (1..=SUBNETS).map(|n| SubnetSpec::new(Netuid(n), format!("subnet-{n}"), None)).collect();
    let mut state = LedgerState::genesis(&spec).unwrap();
    let owner = NodeId::from_bytes([9; 32]);
    let node = |uid: u16| NodeId::from_bytes([&uid.to_be_bytes()[..], &[7; 30]].concat().try_into().unwrap());
    for uid in 0..256 {
        state.nodes.register(node(uid), owner);
        assert!(uid >= 64 || state.nodes.add_stake(node(uid), owner, 1_000_000_000));
    }
    let row: Vec<Cell> = (0..256).map(|uid| (Uid(uid), 1 + uid)).collect();
    for subnet in state.netuids() {
        let subnet = state.subnets.get_mut(&subnet).unwrap();
        for uid in 0..256 {
            let mut neuron = Neuron::new(node(uid), 0, 0);
            if uid < 64 {
                (neuron.permit, neuron.weights) = (true, row.clone());
            }
            subnet.neurons.push(Arc::new(neuron));
        }
        subnet.due = 360;
    }
    state
}

/// The epochs that a block ran, and their weight.
fn block(state: &mut LedgerState, limit: u64) -> Vec<(Netuid, u64)> {
    let weights: std::collections::BTreeMap<Netuid, u64> =
        state.subnets.iter().map(|(netuid, subnet)| (*netuid, subnet.epoch_weight())).collect();
    state.height += 1;
    state.nodes.block = state.height;
    let mut advanced = Advanced::default();
    state.run_epochs(limit, &mut advanced);
    let ran = advanced.epochs.iter().map(|epoch| (epoch.netuid, weights[&epoch.netuid]));
    ran.collect()
}

fn sum(ran: &[(Netuid, u64)]) -> u64 {
    ran.iter().map(|(_, weight)| weight).sum()
}

#[test]
fn aligned_epochs_are_spread_over_blocks_and_none_is_late() {
    let mut state = aligned();
    state.height = 358;
    let limit = state.params.epoch_weight_limit();
    assert_eq!(block(&mut state.clone(), limit), [], "one block too early");
    state.height = 359;
    // Without a limit: all in one block, far more than a block may do.
    let all: u64 = state.subnets.values().map(Subnet::epoch_weight).sum();
    assert!(all > 10 * limit, "{all} of {limit}");
    assert_eq!(block(&mut state.clone(), u64::MAX).len(), usize::from(SUBNETS));

    let mut order = Vec::new();
    while order.len() < usize::from(SUBNETS) {
        let due_before: Vec<u64> = state.subnets.values().map(|subnet| subnet.due).collect();
        let ran = block(&mut state, limit);
        assert!(!ran.is_empty() && sum(&ran) <= limit, "{} of {limit}", sum(&ran));
        assert!(due_before.iter().all(|due| state.height < due + state.params.min_tempo), "an epoch is late");
        order.extend(ran.iter().map(|(netuid, _)| netuid.0));
    }
    assert_eq!(order, (1..=SUBNETS).collect::<Vec<_>>(), "each once, in the order of their numbers");
    // The next epochs are as far apart as these were.
    assert!(state.subnets.values().all(|subnet| subnet.epoch == 1 && subnet.due > 719));
    state.height = 719;
    assert!(sum(&block(&mut state, limit)) < limit);
}

#[test]
fn the_longest_due_epoch_runs_first_and_a_small_one_does_not_overtake() {
    let mut state = aligned();
    for (netuid, subnet) in [(1, 300), (2, 200), (3, 100)] {
        state.subnets.get_mut(&Netuid(netuid)).unwrap().due = subnet;
    }
    // Fits where the large ones do not.
    let small = state.subnets.get_mut(&Netuid(1)).unwrap();
    small.neurons.iter_mut().for_each(|neuron| Arc::make_mut(neuron).weights.clear());
    state.height = 340;
    let limit = state.subnets[&Netuid(2)].epoch_weight() + state.subnets[&Netuid(1)].epoch_weight() - 1;
    let ran =
        |state: &mut LedgerState| block(state, limit).iter().map(|(netuid, _)| netuid.0).collect::<Vec<_>>();
    assert_eq!(ran(&mut state), [3]);
    assert_eq!(ran(&mut state), [2]);
    assert_eq!(ran(&mut state), [1]);
    assert!(ran(&mut state).is_empty());
}

#[test]
fn an_epoch_that_is_larger_than_the_limit_runs_all_the_same() {
    let mut state = aligned();
    state.height = 400;
    assert_eq!(block(&mut state, 1).len(), 1);
}

/// A stake that comes a block before the epoch ends counts for one block of it; one that leaves before keeps its time.
#[test]
fn stake_counts_for_an_epoch_by_its_time() {
    let mut state = aligned();
    let (owner, late) = (NodeId::from_bytes([9; 32]), state.subnets[&Netuid(1)].neurons[0].node);
    state.height = 359;
    state.nodes.block = 359;
    assert!(state.nodes.add_stake(late, owner, 360_000_000_000));
    state.height = 360;
    let inputs = state.inputs(Netuid(1), &state.subnets[&Netuid(1)]);
    assert_eq!(inputs.neurons[0].stake, 1_000_000_000 + 1_000_000_000, "a 360th of it");
    assert_eq!(inputs.neurons[1].stake, 1_000_000_000);
    // Without the average it would count whole.
    assert_eq!(state.nodes.get(&late).unwrap().stake().base_units(), 361_000_000_000);
    let mut subnet = state.subnets[&Netuid(1)].clone();
    subnet.end_epoch(360);
    state.begin_stake_average(&mut subnet);
    state.height = 720;
    assert_eq!(state.inputs(Netuid(1), &subnet).neurons[0].stake, 361_000_000_000, "whole in the next one");
}
