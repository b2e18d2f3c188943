//! Staking to a node: the signer's own, or one that it trusts to validate.

use nervure_primitives::{Amount, NodeId};
use serde::{Deserialize, Serialize};

use super::{Outcome, Rejection};
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

impl Stake {
    pub(super) fn apply(&self, state: &mut LedgerState, signer: NodeId) -> Result<Outcome, Rejection> {
        let Self { node, amount } = *self;
        if amount.is_zero() {
            return Err(Rejection::Nothing);
        }
        let least = Amount::from_base_units(state.params.min_stake);
        let found = state.nodes.get(&node).ok_or(Rejection::NoSuchNode { node })?;
        if found.stake_of(&signer).checked_add(amount).is_some_and(|after| after < least) {
            return Err(Rejection::StakeTooSmall { least });
        }
        if !state.accounts.debit(&signer, amount.base_units()) {
            return Err(Rejection::Balance { needed: amount });
        }
        state.nodes.add_stake(node, signer, amount.base_units());
        Ok(Outcome::Staked { node, amount })
    }
}
