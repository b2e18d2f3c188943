//! Taking stake back. It counts for nothing at once, and can be spent after the unbonding time.

use nervure_primitives::{Amount, BlockHeight, NodeId};
use serde::{Deserialize, Serialize};

use super::{Outcome, Refusal};
use crate::state::State;

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
    pub(super) fn apply(&self, state: &mut State, signer: NodeId) -> Result<Outcome, Refusal> {
        let Self { node, amount } = *self;
        if amount.is_zero() {
            return Err(Refusal::Nothing);
        }
        let least = Amount::from_base_units(state.params.min_stake);
        let free = state.height.saturating_add(state.params.unbonding);
        let found = state.nodes.get(&node).ok_or(Refusal::NoSuchNode { node })?;
        let staked = found.stake_of(&signer);
        let left = staked.checked_sub(amount).ok_or(Refusal::NotStaked { staked })?;
        if !left.is_zero() && left < least {
            return Err(Refusal::StakeTooSmall { least });
        }
        state.nodes.set_stake(node, signer, left);
        state.accounts.credit_later(signer, amount.base_units(), free);
        Ok(Outcome::Unstaked { node, amount, free: BlockHeight(free) })
    }
}
