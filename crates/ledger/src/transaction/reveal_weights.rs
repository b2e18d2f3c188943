//! Showing promised weights, from when on they count.
//!
//! The commitment covers the committer's key, so that a copied one is worthless to the copier.

use std::collections::BTreeSet;

use nervure_consensus::{fixed::max_upscale_u16, yuma::Cell};
use nervure_primitives::{Amount, Hash, MeshId, Netuid, NodeId, Uid};
use serde::{Deserialize, Serialize};

use super::{Outcome, Refusal};
use crate::{
    state::State,
    subnet::{Commit, Subnet},
};

/// Shows the weights of a commit of the epoch before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RevealWeights {
    /// The subnet.
    pub netuid: Netuid,
    /// Uids and their weights, in any order and scale.
    pub weights: Vec<Cell>,
    /// What made the commitment impossible to guess.
    pub salt: Hash,
    /// The version of the validator.
    pub version_key: u64,
}

/// What a node commits to before it reveals `weights`.
pub fn commitment(mesh: &MeshId, node: &NodeId, weights: &RevealWeights) -> Hash {
    let cells: Vec<u8> = weights
        .weights
        .iter()
        .flat_map(|(uid, weight)| [uid.0.to_be_bytes(), weight.to_be_bytes()])
        .flatten()
        .collect();
    Hash::of(
        "nervure/weights/1",
        &[
            mesh.as_bytes(),
            &weights.netuid.0.to_be_bytes(),
            node.as_bytes(),
            &cells,
            weights.salt.as_bytes(),
            &weights.version_key.to_be_bytes(),
        ],
    )
}

impl RevealWeights {
    pub(super) fn apply(&self, state: &mut State, node: NodeId) -> Result<Outcome, Refusal> {
        let netuid = self.netuid;
        let subnet = state.subnets.get(&netuid).ok_or(Refusal::NoSuchSubnet { netuid })?;
        let uid = subnet.uid_of(&node).ok_or(Refusal::NotThere { netuid })?;
        self.check(state, subnet, uid)?;
        let hash = commitment(&state.mesh, &node, self);
        let commit = due(subnet, uid, hash)?;
        let row = self.row(subnet, &commit);
        if let Some(neuron) =
            state.subnets.get_mut(&netuid).and_then(|subnet| subnet.neurons.get_mut(usize::from(uid.0)))
        {
            neuron.commits.retain(|other| *other != commit);
            neuron.weights = row;
        }
        Ok(Outcome::WeightsRevealed { netuid, uid })
    }

    /// The rules for weights, in their order.
    fn check(&self, state: &State, subnet: &Subnet, uid: Uid) -> Result<(), Refusal> {
        let (count, neurons) = (self.weights.len(), subnet.neurons.len());
        let is_owner = subnet.owner_uid() == Some(uid);
        if count > neurons {
            return Err(Refusal::TooManyWeights { given: count, most: neurons });
        }
        let neuron = &subnet.neurons[usize::from(uid.0)];
        let least = state.params.yuma.stake_threshold;
        let stake = state.nodes.get(&neuron.node).map_or(0, |node| node.stake().base_units());
        if stake < least && !is_owner {
            return Err(Refusal::WeightStake { least: Amount::from_base_units(least) });
        }
        if self.version_key < state.params.version_key {
            return Err(Refusal::Version { least: state.params.version_key, given: self.version_key });
        }
        let only_self = self.weights.iter().all(|(about, _)| *about == uid);
        if !neuron.permit && !is_owner && !only_self {
            return Err(Refusal::NoPermit);
        }
        let mut seen = BTreeSet::new();
        if !self.weights.iter().all(|(about, _)| seen.insert(*about)) {
            return Err(Refusal::Duplicate);
        }
        if let Some(uid) = seen.last().filter(|uid| usize::from(uid.0) >= neurons) {
            return Err(Refusal::NoSuchUid { uid: *uid });
        }
        if count < state.params.min_weights {
            return Err(Refusal::TooFewWeights { least: state.params.min_weights });
        }
        Ok(())
    }

    /// The row to store: scaled, ascending, and nothing for whoever came after the commit, since it was
    /// meant for the slot's former holder.
    fn row(&self, subnet: &Subnet, commit: &Commit) -> Vec<Cell> {
        let values: Vec<u16> = self.weights.iter().map(|(_, weight)| *weight).collect();
        let uids = self.weights.iter().map(|(uid, _)| *uid);
        let mut row: Vec<Cell> = uids.zip(max_upscale_u16(&values)).collect();
        for (uid, weight) in &mut row {
            if subnet.neuron(*uid).is_some_and(|neuron| neuron.registered >= commit.block) {
                *weight = 0;
            }
        }
        row.sort_unstable_by_key(|(uid, _)| *uid);
        row
    }
}

/// The commit of `uid` with this hash, if this is its epoch.
fn due(subnet: &Subnet, uid: Uid, hash: Hash) -> Result<Commit, Refusal> {
    let commits = || subnet.neurons[usize::from(uid.0)].commits.iter().filter(|commit| commit.hash == hash);
    let reveal_in = |commit: &Commit| commit.epoch.saturating_add(1);
    if let Some(commit) = commits().find(|commit| reveal_in(commit) == subnet.epoch) {
        return Ok(commit.clone());
    }
    match commits().next() {
        Some(commit) => Err(Refusal::RevealTime { reveal_in: reveal_in(commit), now: subnet.epoch }),
        None => Err(Refusal::NoSuchCommit),
    }
}
