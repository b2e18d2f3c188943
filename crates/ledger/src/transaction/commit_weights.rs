//! Promising weights without showing them.
//!
//! Weights that everybody sees at once can be copied by a validator that never looked at a miner. So a
//! validator first commits to a hash and shows the weights one epoch later, when a copy is stale.

use nervure_primitives::{Amount, Hash, Netuid, NodeId};
use serde::{Deserialize, Serialize};

use super::{Outcome, Refusal};
use crate::{state::State, subnet::Commit};

/// Promises the weights behind `hash`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CommitWeights {
    /// The subnet.
    pub netuid: Netuid,
    /// The [commitment](super::commitment).
    pub hash: Hash,
}

impl CommitWeights {
    pub(super) fn apply(&self, state: &mut State, node: NodeId) -> Result<Outcome, Refusal> {
        let Self { netuid, hash } = *self;
        let subnet = state.subnets.get_mut(&netuid).ok_or(Refusal::NoSuchSubnet { netuid })?;
        let uid = subnet.uid_of(&node).ok_or(Refusal::NotThere { netuid })?;
        let least = state.params.yuma.stake_threshold;
        let stake = state.nodes.get(&node).map_or(0, |node| node.stake().base_units());
        if stake < least && subnet.owner_uid() != Some(uid) {
            return Err(Refusal::WeightStake { least: Amount::from_base_units(least) });
        }
        let epoch = subnet.epoch;
        let neuron = &mut subnet.neurons[usize::from(uid.0)];
        if neuron.commits.len() >= state.params.max_commits {
            return Err(Refusal::TooManyCommits { most: state.params.max_commits });
        }
        neuron.commits.push(Commit { hash, block: state.height, epoch });
        neuron.last_update = state.height;
        Ok(Outcome::WeightsCommitted { netuid, uid, reveal_in: epoch.saturating_add(1) })
    }
}
