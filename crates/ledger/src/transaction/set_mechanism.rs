//! Changing how the validators of one's subnet set tasks.
//!
//! The ledger keeps what the owner says and does not know what it means: validators that do not know the mechanism set
//! no tasks and say so.

use nervure_primitives::{BlockHeight, MechanismSpec, Netuid, NodeId};
use serde::{Deserialize, Serialize};

use super::{Description, Rejection, SignerKey, SubnetRejection, TransactionKind, weight};
use crate::{proxies::ProxyScope, state::LedgerState};

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

    fn scope(&self) -> Option<ProxyScope> {
        Some(ProxyScope::Subnets)
    }

    fn apply(&self, state: &mut LedgerState, signer: NodeId) -> Result<Self::Outcome, Rejection> {
        let netuid = self.netuid;
        if !self.to.is_well_formed() {
            return Err(SubnetRejection::Mechanism.into());
        }
        let subnet = state.subnets.get(&netuid).ok_or(SubnetRejection::NoSuchSubnet { netuid })?;
        if subnet.owner != Some(signer) {
            return Err(SubnetRejection::NotSubnetOwner { netuid }.into());
        }
        let from = subnet.mechanism_set.saturating_add(state.params.hyperparameter_interval);
        if subnet.mechanism_set > 0 && state.height < from {
            return Err(SubnetRejection::HyperparameterTooSoon { from: BlockHeight(from) }.into());
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

    #[cfg(test)]
    fn sample() -> super::Sample<Self> {
        use super::sample::{NETUID, mechanism};
        super::Sample {
            call: Self { netuid: NETUID, to: mechanism() },
            call_hash: "6d42e5994a37085d6433b8846856e8c5bf09bcf4c580930383617f8d79c81625",
            outcome: SetMechanismOutcome { netuid: NETUID },
            outcome_hash: "de2b993e337759c17aa10ad972c4bae10c234fddbfaefeaefae2eed9e61c2580",
            future: "sets the mechanism of subnet 3",
            past: "validators set tasks in subnet 3 by the new mechanism",
        }
    }
}
