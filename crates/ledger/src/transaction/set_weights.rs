//! Setting public weights, where a subnet's owner turned commit-reveal off.

use nervure_consensus::yuma::Cell;
use nervure_primitives::{Netuid, NodeId, Uid};
use serde::{Deserialize, Serialize};

use super::{
    Description, Rejection, SignerKey, TransactionKind, WeightsRejection, weight,
    weights::{Submitted, slot_of},
};
use crate::{lane::LaneScope, state::LedgerState};

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

/// Weights that count from now on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SetWeightsOutcome {
    /// The subnet.
    pub netuid: Netuid,
    /// The slot of the signer.
    pub uid: Uid,
}

impl TransactionKind for SetWeights {
    type Outcome = SetWeightsOutcome;

    const SIGNER: SignerKey = SignerKey::Node;

    fn weight(&self) -> u64 {
        weight::NEURON.saturating_add(weight::each(weight::CELL, self.weights.len()))
    }

    fn lane(&self) -> Option<LaneScope> {
        Some(LaneScope::Subnet(self.netuid))
    }

    fn apply(&self, state: &mut LedgerState, node: NodeId) -> Result<Self::Outcome, Rejection> {
        let netuid = self.netuid;
        let (subnet, uid) = slot_of(state, netuid, node)?;
        if subnet.hyperparameters.commit_reveal {
            return Err(WeightsRejection::CommitFirst { netuid }.into());
        }
        let submitted = Submitted { weights: &self.weights, version_key: self.version_key, plain: true };
        submitted.check(state, subnet, uid)?;
        // A neuron that registered in this block may have done so after the weights were signed.
        let (row, height) = (submitted.row(subnet, state.height), state.height);
        if let Some(neuron) = state.subnets.get_mut(&netuid).and_then(|subnet| subnet.neuron_mut(uid)) {
            neuron.weights = row;
            neuron.last_update = height;
        }
        Ok(SetWeightsOutcome { netuid, uid })
    }

    fn description(outcome: &Self::Outcome) -> Description {
        let SetWeightsOutcome { netuid, .. } = outcome;
        Description {
            future: format!("sets weights in subnet {netuid}"),
            past: format!("the weights in subnet {netuid} count from now on"),
        }
    }

    #[cfg(test)]
    fn sample() -> super::Sample<Self> {
        use super::sample::{NETUID, UID, row};
        super::Sample {
            call: Self { netuid: NETUID, weights: row(), version_key: 2 },
            call_hash: "76d32668548416d677aa68ecc6b1943ade0b278082dec740abbf6e06ca6a8ed6",
            outcome: SetWeightsOutcome { netuid: NETUID, uid: UID },
            outcome_hash: "c13578044e7d303eeec30662ff2ec97e82837d2bd934ea8c0608929106fedae0",
            future: "sets weights in subnet 3",
            past: "the weights in subnet 3 count from now on",
        }
    }
}
