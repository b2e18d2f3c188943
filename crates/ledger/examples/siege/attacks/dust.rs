//! Fills the validator set with nodes that never sign, so that rounds are lost and power is dead.

use nervure_ledger::{
    params::Params,
    transaction::{Call, JoinValidators, RegisterNode, Stake, consent},
};
use nervure_primitives::NodeKey;
use rand::Rng;

use crate::{
    field::{Field, INTERVAL, Report, Start, Terrain, VALIDATORS, params},
    mesh::{Offer, key, units},
};

/// Nodes that fit into the set beside the honest ones.
const NODES: u64 = 64 - VALIDATORS;

/// The places that dust takes, at most.
pub(crate) fn dust(start: Start) -> Report {
    places(start, params(), NODES)
}

/// The places that `nodes` with the minimum self-stake of `economy` take.
pub(crate) fn places(start: Start, economy: Params, nodes: u64) -> Report {
    let least = economy.min_self_stake.max(economy.min_stake);
    let mut field = Field::with(start, Terrain { economy, ..Terrain::default() });
    let per_account = nodes.div_ceil(field.accounts.len() as u64);
    let accounts = field.accounts.clone();
    let dust: Vec<(NodeKey, NodeKey)> = (0..nodes)
        .map(|number| (accounts[(number / per_account) as usize].clone(), key(5_000 + number)))
        .collect();
    // Some wait, so that elections fall between.
    let pause = field.rng.random_range(1..4);
    let mut most = 0;
    for step in 0..3 {
        for part in dust.chunks(8) {
            field.besieged(|field| {
                for (owner, node) in part {
                    send(field, owner, node, (step, least));
                }
            });
            most = most.max(taken(&field, &dust));
        }
        for _ in 0..pause {
            field.besieged(|_| ());
        }
    }
    for _ in 0..4 * INTERVAL {
        field.besieged(|_| ());
        most = most.max(taken(&field, &dust));
    }
    assert_eq!(taken(&field, &dust), 0, "dust that does not sign is jailed");
    field.finish(most)
}

/// One of the three calls that make a node a validator.
fn send(field: &mut Field, owner: &NodeKey, node: &NodeKey, (step, least): (usize, u64)) {
    let id = node.node_id();
    let call = match step {
        0 => match consent(node, &owner.node_id(), &field.state().mesh()) {
            Ok(consent) => Call::RegisterNode(RegisterNode { consent }),
            Err(_) => return,
        },
        1 => Call::Stake(Stake { node: id, amount: units(least) }),
        _ => Call::JoinValidators(JoinValidators { node: id }),
    };
    let offer = field.offer(owner, &call);
    // After what this owner has sent for this block.
    (0..8).find(|more| {
        field.mesh.send(owner, Offer { nonce: offer.nonce + more, ..offer }, call.clone()).is_ok()
    });
}

/// Places of the set that dust has.
fn taken(field: &Field, dust: &[(NodeKey, NodeKey)]) -> u64 {
    let Some(set) = field.state().validators() else { return 0 };
    dust.iter().filter(|(_, node)| set.contains(&node.node_id())).count() as u64
}
