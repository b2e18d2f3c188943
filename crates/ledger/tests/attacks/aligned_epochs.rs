//! Owners who align the tempos of their subnets, so that one block has to compute all epochs of the mesh.

use std::collections::BTreeMap;

use nervure_ledger::{
    block::BlockContext,
    event::Event,
    spec::{MeshSpec, NodeSpec, Role, SubnetSpec},
    state::LedgerState,
};
use nervure_primitives::{Netuid, NodeId};

const SUBNETS: u16 = 128;
const SLOTS: u16 = 256;

/// 128 full subnets whose epochs end in the same blocks, because their numbers are multiples of the tempo.
fn aligned(min_tempo: u64) -> MeshSpec {
    let mut spec = MeshSpec::public("aligned");
    spec.economy.min_tempo = min_tempo;
    let tempo = spec.economy.subnet.tempo as u16;
    let netuids: Vec<Netuid> = (1..=SUBNETS).map(|n| Netuid(n * tempo)).collect();
    spec.subnets = netuids.iter().map(|n| SubnetSpec::new(*n, format!("subnet-{n}"), None)).collect();
    let node =
        |index: u16| NodeId::from_bytes([&index.to_be_bytes()[..], &[7; 30]].concat().try_into().unwrap());
    let miner = |index| NodeSpec::new(node(index), Role::Miner).in_subnets(netuids.clone());
    spec.nodes = (0..SLOTS).map(miner).collect();
    spec
}

/// What `blocks` blocks did: how many epochs each ran, and the blocks at which each subnet had one.
struct Run {
    per_block: Vec<usize>,
    epochs: BTreeMap<Netuid, Vec<u64>>,
}

fn run(spec: &MeshSpec, blocks: u64) -> Run {
    let mut state = LedgerState::genesis(spec).unwrap();
    let mut run = Run { per_block: Vec::new(), epochs: BTreeMap::new() };
    for block in 1..=blocks {
        let events = state.advance(&BlockContext::default(), &[]).unwrap();
        let mut ran = Vec::new();
        for event in events {
            if let Event::Epoch { netuid, .. } = event {
                ran.push(netuid);
            }
        }
        run.per_block.push(ran.len());
        ran.into_iter().for_each(|netuid| run.epochs.entry(netuid).or_default().push(block));
        assert_eq!(state.held(), u128::from(state.issuance()));
    }
    run
}

#[test]
fn aligned_epochs_wait_for_each_other_and_none_is_later_than_twice_its_tempo() {
    let spec = aligned(360);
    let tempo = spec.economy.subnet.tempo;
    let Run { per_block, epochs } = run(&spec, 2 * tempo + 40);
    let most = *per_block.iter().max().unwrap();
    assert!(most < 20, "{most} epochs in a block");
    assert_eq!(epochs.len(), usize::from(SUBNETS), "each had its epochs");
    for blocks in epochs.values() {
        assert!(blocks[0] < 2 * tempo && blocks.len() == 2, "{blocks:?}");
        assert!(blocks[1] - blocks[0] < 2 * tempo);
    }
    // A mesh whose shortest tempo is one block has to allow all of them at once: no bound.
    let Run { per_block, .. } = run(&aligned(1), tempo);
    assert_eq!(per_block.last(), Some(&usize::from(SUBNETS)));
}
