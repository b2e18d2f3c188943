//! Setting public weights, where a subnet's owner turned commit-reveal off.

use nervure_consensus::yuma::Cell;
use nervure_primitives::{Netuid, NodeId};
use serde::{Deserialize, Serialize};

use super::{
    Outcome, Rejection,
    weights::{Submitted, slot_of},
};
use crate::state::LedgerState;

/// Replaces the signer's weights at once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetWeights {
    /// The subnet.
    pub netuid: Netuid,
    /// Uids and their weights, in any order and scale.
    pub weights: Vec<Cell>,
    /// The version of the validator.
    pub version_key: u64,
}

impl SetWeights {
    pub(super) fn apply(&self, state: &mut LedgerState, node: NodeId) -> Result<Outcome, Rejection> {
        let netuid = self.netuid;
        let (subnet, uid) = slot_of(state, netuid, node)?;
        if subnet.hyperparameters.commit_reveal {
            return Err(Rejection::CommitFirst { netuid });
        }
        let submitted = Submitted { weights: &self.weights, version_key: self.version_key, plain: true };
        submitted.check(state, subnet, uid)?;
        // A neuron that registered in this block may have done so after the weights were signed.
        let (row, height) = (submitted.row(subnet, state.height), state.height);
        if let Some(neuron) = state.subnets.get_mut(&netuid).and_then(|subnet| subnet.neuron_mut(uid)) {
            neuron.weights = row;
            neuron.last_update = height;
        }
        Ok(Outcome::WeightsSet { netuid, uid })
    }
}
