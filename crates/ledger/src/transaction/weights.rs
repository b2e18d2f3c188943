//! What weights have to keep to, plain or revealed.

use std::collections::BTreeSet;

use nervure_consensus::{fixed::max_upscale_u16, yuma::Cell};
use nervure_primitives::{Amount, BlockHeight, Netuid, NodeId, Uid};

use super::{Rejection, SubnetRejection, WeightsRejection};
use crate::{state::LedgerState, subnet::Subnet};

/// Weights that a neuron of a subnet would set.
pub(super) struct Submitted<'a> {
    pub(super) weights: &'a [Cell],
    pub(super) version_key: u64,
    /// Whether they wait for the interval between two plain weights.
    pub(super) plain: bool,
}

/// The subnet and the slot that `node` has in it.
pub(super) fn slot_of(
    state: &LedgerState,
    netuid: Netuid,
    node: NodeId,
) -> Result<(&Subnet, Uid), Rejection> {
    let subnet = state.subnets.get(&netuid).ok_or(SubnetRejection::NoSuchSubnet { netuid })?;
    let uid = subnet.uid_of(&node).ok_or(WeightsRejection::NotThere { netuid })?;
    Ok((subnet, uid))
}

/// Refuses a neuron with too little stake to set weights; the owner's node needs none.
pub(super) fn check_stake(
    state: &LedgerState,
    subnet: &Subnet,
    uid: Uid,
    node: &NodeId,
) -> Result<(), Rejection> {
    let least = state.params.weight_stake;
    let stake = state.nodes.get(node).map_or(0, |node| node.stake().base_units());
    match stake < least && subnet.owner_uid() != Some(uid) {
        true => Err(WeightsRejection::WeightStake { least: Amount::from_base_units(least) }.into()),
        false => Ok(()),
    }
}

impl Submitted<'_> {
    /// The rules for weights, in their order. Source: the economics of the mesh, "Weights".
    pub(super) fn check(&self, state: &LedgerState, subnet: &Subnet, uid: Uid) -> Result<(), Rejection> {
        let (count, neurons) = (self.weights.len(), subnet.neurons.len());
        if count > neurons {
            return Err(WeightsRejection::TooManyWeights { given: count, most: neurons }.into());
        }
        let Some(neuron) = subnet.neuron(uid) else { return Err(WeightsRejection::NoSuchUid { uid }.into()) };
        check_stake(state, subnet, uid, &neuron.node)?;
        let rules = &subnet.hyperparameters;
        if self.version_key < rules.version_key {
            return Err(
                WeightsRejection::Version { least: rules.version_key, given: self.version_key }.into()
            );
        }
        let from = neuron.last_update.saturating_add(rules.weights_interval);
        if self.plain && state.height < from {
            return Err(WeightsRejection::WeightsTooSoon { from: BlockHeight(from) }.into());
        }
        // Without a permit a neuron may weight itself alone; the epoch masks such weights.
        let only_self = self.weights.iter().all(|(about, _)| *about == uid);
        if !neuron.permit && subnet.owner_uid() != Some(uid) && !only_self {
            return Err(WeightsRejection::NoPermit.into());
        }
        let mut seen = BTreeSet::new();
        if !self.weights.iter().all(|(about, _)| seen.insert(*about)) {
            return Err(WeightsRejection::Duplicate.into());
        }
        if let Some(uid) = seen.last().filter(|uid| usize::from(uid.0) >= neurons) {
            return Err(WeightsRejection::NoSuchUid { uid: *uid }.into());
        }
        match count < usize::from(rules.min_weights) {
            true => Err(WeightsRejection::TooFewWeights { least: rules.min_weights.into() }.into()),
            false => Ok(()),
        }
    }

    /// The row to store: scaled and ascending, and nothing for neurons that registered at `since` or later, since it
    /// was meant for the slot's former holder.
    pub(super) fn row(&self, subnet: &Subnet, since: u64) -> Vec<Cell> {
        let values: Vec<u16> = self.weights.iter().map(|(_, weight)| *weight).collect();
        let uids = self.weights.iter().map(|(uid, _)| *uid);
        // Scaled before the zeros are set: the others keep the scale that the validator signed.
        let mut row: Vec<Cell> = uids.zip(max_upscale_u16(&values)).collect();
        for (uid, weight) in &mut row {
            if subnet.neuron(*uid).is_some_and(|neuron| neuron.registered >= since) {
                *weight = 0;
            }
        }
        row.sort_unstable_by_key(|(uid, _)| *uid);
        row
    }
}
