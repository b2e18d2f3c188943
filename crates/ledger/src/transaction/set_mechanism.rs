//! Changing how the validators of one's subnet set tasks.
//!
//! The ledger keeps what the owner says and does not know what it means: validators that do not know the mechanism set
//! no tasks and say so.

use nervure_primitives::{BlockHeight, MechanismSpec, Netuid, NodeId};
use serde::{Deserialize, Serialize};

use super::{Description, Rejection, SignerKey, TransactionKind, weight};
use crate::state::LedgerState;

/// Gives a subnet of the signer another incentive mechanism, or other parameters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetMechanism {
    /// The subnet.
    pub netuid: Netuid,
    /// The mechanism.
    pub to: MechanismSpec,
}

/// A subnet that has another mechanism.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SetMechanismOutcome {
    /// The subnet.
    pub netuid: Netuid,
}

impl TransactionKind for SetMechanism {
    type Outcome = SetMechanismOutcome;

    const SIGNER: SignerKey = SignerKey::Owner;

    fn weight(&self) -> u64 {
        weight::SET_MECHANISM
    }

    fn apply(&self, state: &mut LedgerState, signer: NodeId) -> Result<Self::Outcome, Rejection> {
        let netuid = self.netuid;
        if !self.to.is_well_formed() {
            return Err(Rejection::Mechanism);
        }
        let subnet = state.subnets.get(&netuid).ok_or(Rejection::NoSuchSubnet { netuid })?;
        if subnet.owner != Some(signer) {
            return Err(Rejection::NotSubnetOwner { netuid });
        }
        let from = subnet.mechanism_set.saturating_add(state.params.hyperparameter_interval);
        if subnet.mechanism_set > 0 && state.height < from {
            return Err(Rejection::HyperparameterTooSoon { from: BlockHeight(from) });
        }
        let height = state.height;
        if let Some(subnet) = state.subnets.get_mut(&netuid) {
            subnet.mechanism = Some(self.to.clone());
            subnet.mechanism_set = height;
        }
        Ok(SetMechanismOutcome { netuid })
    }

    fn description(outcome: &Self::Outcome) -> Description {
        let SetMechanismOutcome { netuid } = outcome;
        Description {
            future: format!("sets the mechanism of subnet {netuid}"),
            past: format!("validators set tasks in subnet {netuid} by the new mechanism"),
        }
    }
}
