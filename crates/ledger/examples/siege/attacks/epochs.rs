//! Founds subnets and sets their tempos so that their epochs are due in the same blocks.

use std::collections::BTreeMap;

use nervure_ledger::{
    subnet::Hyperparameter,
    transaction::{Call, Outcome, RegisterNode, RegisterSubnet, SetHyperparameter, consent},
};
use nervure_primitives::Netuid;
use rand::Rng;

use crate::{
    field::{Field, INTERVAL, Report, Start, Terrain},
    mesh::{key, units},
};

/// Subnets that it tries to found: each locks twice as much as the last one.
const SUBNETS: u64 = 14;

/// How late the latest epoch was, in percent of its tempo.
pub(crate) fn epochs(start: Start) -> Report {
    // The registration of a subnet has to fit into a block.
    let mut field = Field::with(start, Terrain { block_milliseconds: 250, ..Terrain::default() });
    let mut mine = Vec::new();
    for number in 0..SUBNETS {
        let (owner, node) = (field.accounts[(number % 8) as usize].clone(), key(7_000 + number));
        let Ok(consent) = consent(&node, &owner.node_id(), &field.state().mesh()) else { continue };
        field.carry_out(&owner, Call::RegisterNode(RegisterNode { consent }));
        let name = format!("aligned-{number}");
        let found = RegisterSubnet { name, node: node.node_id(), max_lock: units(u64::MAX), mechanism: None };
        let Some(Outcome::SubnetRegistered(founded)) = field.carry_out(&owner, Call::RegisterSubnet(found))
        else {
            break;
        };
        mine.push((owner, founded.netuid));
    }
    let tempo = field.rng.random_range(INTERVAL..=2 * INTERVAL);
    for (owner, netuid) in &mine {
        let to = Hyperparameter::Tempo(tempo);
        field.carry_out(owner, Call::SetHyperparameter(SetHyperparameter { netuid: *netuid, to }));
    }
    // The number of each subnet's next epoch, and the block of the last one.
    let mut last: BTreeMap<Netuid, (u64, u64)> = BTreeMap::new();
    let mut latest = 0;
    for _ in 0..6 * INTERVAL {
        field.besieged(|_| ());
        for (netuid, subnet) in field.mesh.tip().state.subnets() {
            let (epoch, before) = *last.entry(*netuid).or_insert((subnet.epoch, field.blocks));
            if subnet.epoch > epoch {
                // The first one may have begun before.
                let tempo = subnet.hyperparameters.tempo;
                latest = latest.max((field.blocks - before) * 100 / tempo);
                last.insert(*netuid, (subnet.epoch, field.blocks));
            }
        }
    }
    field.finish(latest)
}
