//! Staking to a node: the signer's own, or one that it trusts to validate.

use nervure_primitives::{Amount, NodeId};
use serde::{Deserialize, Serialize};

use super::{
    Description, FundsRejection, NodeRejection, Rejection, SignerKey, StakeRejection, TransactionKind, weight,
};
use crate::{proxies::ProxyScope, state::LedgerState};

/// Stakes `amount` to `node`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stake {
    /// The node to stand behind.
    pub node: NodeId,
    /// How much.
    pub amount: Amount,
}

/// A node that has more stake.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct StakeOutcome {
    /// The node.
    pub node: NodeId,
    /// How much more.
    pub amount: Amount,
    /// Whether the node has joined the validators. If not, the stake gives no voting power.
    #[serde(default)]
    pub validates: bool,
}

/// What a staker is told about a node, after its name, unless it `validates`.
pub(super) const fn powerless(validates: bool) -> &'static str {
    match validates {
        true => "",
        false => ", which has not joined the validators: the stake gives no voting power",
    }
}

impl TransactionKind for Stake {
    type Outcome = StakeOutcome;

    const SIGNER: SignerKey = SignerKey::Owner;

    fn weight(&self) -> u64 {
        weight::STAKE
    }

    fn spends(&self, _: &LedgerState) -> u64 {
        self.amount.base_units()
    }

    fn scope(&self) -> Option<ProxyScope> {
        Some(ProxyScope::Staking)
    }

    fn apply(&self, state: &mut LedgerState, signer: NodeId) -> Result<Self::Outcome, Rejection> {
        let Self { node, amount } = *self;
        if amount.is_zero() {
            return Err(FundsRejection::Nothing.into());
        }
        let least = Amount::from_base_units(state.params.min_stake);
        state.nodes.get(&node).ok_or(NodeRejection::NoSuchNode { node })?;
        if state.nodes.stake_of(&node, &signer).checked_add(amount).is_some_and(|after| after < least) {
            return Err(StakeRejection::StakeTooSmall { least }.into());
        }
        state.check_spend(&signer, amount.base_units())?;
        if !state.nodes.add_stake(node, signer, amount.base_units()) {
            return Err(StakeRejection::StakeLost { node }.into());
        }
        state.spend(&signer, amount.base_units())?;
        Ok(StakeOutcome { node, amount, validates: state.roster.has_joined(&node) })
    }

    fn description(outcome: &Self::Outcome) -> Description {
        let StakeOutcome { node, amount, validates } = outcome;
        let powerless = powerless(*validates);
        Description {
            future: format!("stakes {amount} tokens on {node}{powerless}"),
            past: format!("staked {amount} tokens on {node}{powerless}"),
        }
    }

    fn intent(&self) -> Option<String> {
        Some(format!("stakes {} tokens on {}", self.amount, self.node))
    }

    #[cfg(test)]
    fn sample() -> super::Sample<Self> {
        use super::sample::{AMOUNT, node};
        super::Sample {
            call: Self { node: node(), amount: AMOUNT },
            call_hash: "5d64661924a3a6e8a67bce255bd3beb81060242d65246c824f8c0712cd8bb076",
            outcome: StakeOutcome { node: node(), amount: AMOUNT, validates: true },
            outcome_hash: "bb1c37284d542d45c0bc294cee2caf5889d4635631cbf15e6e8c071a0905416d",
            future: "stakes 1.5 tokens on NODE",
            past: "staked 1.5 tokens on NODE",
        }
    }
}
