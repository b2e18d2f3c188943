//! Changing a rule of one's subnet.

use nervure_primitives::{BlockHeight, Netuid, NodeId};
use serde::{Deserialize, Serialize};

use super::{Description, Rejection, SignerKey, TransactionKind, weight};
use crate::{state::LedgerState, subnet::Hyperparameter};

/// Sets one hyperparameter of a subnet of the signer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetHyperparameter {
    /// The subnet.
    pub netuid: Netuid,
    /// Which one, and its new value.
    pub to: Hyperparameter,
}

/// A subnet that has another rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SetHyperparameterOutcome {
    /// The subnet.
    pub netuid: Netuid,
    /// Which one, and its value.
    pub to: Hyperparameter,
}

impl TransactionKind for SetHyperparameter {
    type Outcome = SetHyperparameterOutcome;

    const SIGNER: SignerKey = SignerKey::Owner;

    fn weight(&self) -> u64 {
        weight::SET_HYPERPARAMETER
    }

    fn apply(&self, state: &mut LedgerState, signer: NodeId) -> Result<Self::Outcome, Rejection> {
        let Self { netuid, to } = *self;
        let subnet = state.subnets.get(&netuid).ok_or(Rejection::NoSuchSubnet { netuid })?;
        if subnet.owner != Some(signer) {
            return Err(Rejection::NotSubnetOwner { netuid });
        }
        let index = to.index();
        let last = subnet.changed[index];
        let from = last.saturating_add(state.params.hyperparameter_interval);
        if last > 0 && state.height < from {
            return Err(Rejection::HyperparameterTooSoon { from: BlockHeight(from) });
        }
        let next = subnet.hyperparameters.with(to, &state.params)?;
        let height = state.height;
        if let Some(subnet) = state.subnets.get_mut(&netuid) {
            subnet.hyperparameters = next;
            subnet.changed[index] = height;
        }
        Ok(SetHyperparameterOutcome { netuid, to })
    }

    fn description(outcome: &Self::Outcome) -> Description {
        let SetHyperparameterOutcome { netuid, to } = outcome;
        Description {
            future: format!("sets {to} in subnet {netuid}"),
            past: format!("{to} in subnet {netuid}"),
        }
    }
}
