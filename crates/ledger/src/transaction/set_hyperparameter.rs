//! Changing a rule of one's subnet.

use nervure_primitives::{BlockHeight, Netuid, NodeId};
use serde::{Deserialize, Serialize};

use super::{Outcome, Rejection};
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

impl SetHyperparameter {
    pub(super) fn apply(&self, state: &mut LedgerState, signer: NodeId) -> Result<Outcome, Rejection> {
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
        Ok(Outcome::HyperparameterSet { netuid, to })
    }
}
