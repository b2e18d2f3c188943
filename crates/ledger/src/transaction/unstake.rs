//! Taking stake back. It counts for nothing at once, and can be spent after the unbonding time.

use nervure_primitives::{Amount, BlockHeight, NodeId};
use serde::{Deserialize, Serialize};

use super::{Outcome, Rejection};
use crate::state::LedgerState;

/// Takes `amount` back from `node`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unstake {
    /// The node that the stake is on.
    pub node: NodeId,
    /// How much.
    pub amount: Amount,
}

impl Unstake {
    pub(super) fn apply(&self, state: &mut LedgerState, signer: NodeId) -> Result<Outcome, Rejection> {
        let Self { node, amount } = *self;
        if amount.is_zero() {
            return Err(Rejection::Nothing);
        }
        let least = Amount::from_base_units(state.params.min_stake);
        let free = state.height.saturating_add(state.params.unbonding);
        let found = state.nodes.get(&node).ok_or(Rejection::NoSuchNode { node })?;
        let staked = found.stake_of(&signer);
        let left = staked.checked_sub(amount).ok_or(Rejection::NotStaked { staked })?;
        if !left.is_zero() && left < least {
            return Err(Rejection::StakeTooSmall { least });
        }
        state.nodes.set_stake(node, signer, left);
        state.accounts.credit_later(signer, amount.base_units(), free);
        Ok(Outcome::Unstaked { node, amount, free: BlockHeight(free) })
    }
}
