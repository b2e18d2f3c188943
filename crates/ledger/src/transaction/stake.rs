//! Putting stake behind a node: one's own, or that of somebody trusted to validate.

use nervure_primitives::{Amount, NodeId};
use serde::{Deserialize, Serialize};

use super::{Outcome, Refusal};
use crate::state::State;

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
    pub(super) fn apply(&self, state: &mut State, signer: NodeId) -> Result<Outcome, Refusal> {
        let Self { node, amount } = *self;
        if amount.is_zero() {
            return Err(Refusal::Nothing);
        }
        let least = Amount::from_base_units(state.params.min_stake);
        let found = state.nodes.get(&node).ok_or(Refusal::NoSuchNode { node })?;
        if found.stake_of(&signer).checked_add(amount).is_some_and(|after| after < least) {
            return Err(Refusal::StakeTooSmall { least });
        }
        if !state.accounts.debit(&signer, amount.base_units()) {
            return Err(Refusal::Balance { needed: amount });
        }
        state.nodes.add_stake(node, signer, amount.base_units());
        Ok(Outcome::Staked { node, amount })
    }
}
