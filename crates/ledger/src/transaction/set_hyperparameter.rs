//! Changing a rule of one's subnet.

use nervure_primitives::{BlockHeight, Netuid, NodeId};
use serde::{Deserialize, Serialize};

use super::{Description, Rejection, SignerKey, SubnetRejection, TransactionKind, weight};
use crate::{proxies::ProxyScope, state::LedgerState, subnet::Hyperparameter};

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

    fn scope(&self) -> Option<ProxyScope> {
        Some(ProxyScope::Subnets)
    }

    fn apply(&self, state: &mut LedgerState, signer: NodeId) -> Result<Self::Outcome, Rejection> {
        let Self { netuid, to } = *self;
        let subnet = state.subnets.get(&netuid).ok_or(SubnetRejection::NoSuchSubnet { netuid })?;
        if subnet.owner != Some(signer) {
            return Err(SubnetRejection::NotSubnetOwner { netuid }.into());
        }
        let index = to.index();
        let last = subnet.changed[index];
        let from = last.saturating_add(state.params.hyperparameter_interval);
        if last > 0 && state.height < from {
            return Err(SubnetRejection::HyperparameterTooSoon { from: BlockHeight(from) }.into());
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

    #[cfg(test)]
    fn sample() -> super::Sample<Self> {
        use super::sample::{NETUID, liquid};
        super::Sample {
            call: Self { netuid: NETUID, to: Hyperparameter::Tempo(120) },
            call_hash: "b9a5ab0752e9a255c945c61700c0ce239715f0039868ce69962370c345eb1bbf",
            outcome: SetHyperparameterOutcome { netuid: NETUID, to: Hyperparameter::Bonds(liquid()) },
            outcome_hash: "5dcb2f777cc27943e2b4bfba6348d3fd5ebde8015f6b7dabc64140478bdd8705",
            future: "sets bonds = yuma3_liquid (low 2000, high 3000, steepness 7) in subnet 3",
            past: "bonds = yuma3_liquid (low 2000, high 3000, steepness 7) in subnet 3",
        }
    }
}
