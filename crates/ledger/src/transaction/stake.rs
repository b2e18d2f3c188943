//! Staking to a node: the signer's own, or one that it trusts to validate.

use nervure_primitives::{Amount, NodeId};
use serde::{Deserialize, Serialize};

use super::{Description, Rejection, SignerKey, TransactionKind, weight};
use crate::state::LedgerState;

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

impl TransactionKind for Stake {
    type Outcome = StakeOutcome;

    const SIGNER: SignerKey = SignerKey::Owner;

    fn weight(&self) -> u64 {
        weight::STAKE
    }

    fn spends(&self, _: &LedgerState) -> u64 {
        self.amount.base_units()
    }

    fn apply(&self, state: &mut LedgerState, signer: NodeId) -> Result<Self::Outcome, Rejection> {
        let Self { node, amount } = *self;
        if amount.is_zero() {
            return Err(Rejection::Nothing);
        }
        let least = Amount::from_base_units(state.params.min_stake);
        state.nodes.get(&node).ok_or(Rejection::NoSuchNode { node })?;
        if state.nodes.stake_of(&node, &signer).checked_add(amount).is_some_and(|after| after < least) {
            return Err(Rejection::StakeTooSmall { least });
        }
        if !state.accounts.debit(&signer, amount.base_units()) {
            return Err(Rejection::Balance { needed: amount });
        }
        if !state.nodes.add_stake(node, signer, amount.base_units()) {
            state.accounts.credit(signer, amount.base_units());
            return Err(Rejection::StakeLost { node });
        }
        Ok(StakeOutcome { node, amount, validates: state.roster.has_joined(&node) })
    }

    fn description(outcome: &Self::Outcome) -> Description {
        let StakeOutcome { node, amount, validates } = outcome;
        let powerless = match validates {
            true => "",
            false => ", which has not joined the validators: the stake gives no voting power",
        };
        Description {
            future: format!("stakes {amount} tokens on {node}{powerless}"),
            past: format!("staked {amount} tokens on {node}{powerless}"),
        }
    }
}
