//! Taking stake back. It counts for nothing at once, and can be spent after the unbonding time. Until then it answers for
//! what the node did as a validator.
//!
//! A stake grows with every block in which dividends are released, so that no staker can name the whole of it exactly:
//! [`Unstake::ALL`] stands for it. A remainder below the least stake is taken back, too.

use nervure_primitives::{Amount, BlockHeight, NodeId};
use serde::{Deserialize, Serialize};

use super::{Description, Rejection, SignerKey, TransactionKind, weight};
use crate::{accounts::UnbondingKey, state::LedgerState};

/// Takes `amount` back from `node`; all of the stake if less than the least stake would remain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unstake {
    /// The node that the stake is on.
    pub node: NodeId,
    /// How much; [`Unstake::ALL`] is all of it.
    pub amount: Amount,
}

impl Unstake {
    /// The amount that stands for the whole stake at the block of the transaction.
    pub const ALL: Amount = Amount::from_base_units(u64::MAX);
}

/// A node that has less stake.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct UnstakeOutcome {
    /// The node.
    pub node: NodeId,
    /// How much less.
    pub amount: Amount,
    /// The block from which on the staker can spend it.
    pub free: BlockHeight,
}

impl TransactionKind for Unstake {
    type Outcome = UnstakeOutcome;

    const SIGNER: SignerKey = SignerKey::Owner;

    fn weight(&self) -> u64 {
        weight::UNSTAKE
    }

    fn apply(&self, state: &mut LedgerState, signer: NodeId) -> Result<Self::Outcome, Rejection> {
        let Self { node, amount } = *self;
        if amount.is_zero() {
            return Err(Rejection::Nothing);
        }
        let least = Amount::from_base_units(state.params.min_stake);
        let free = state.height.saturating_add(state.params.unbonding);
        state.nodes.get(&node).ok_or(Rejection::NoSuchNode { node })?;
        let staked = state.nodes.stake_of(&node, &signer);
        if staked.is_zero() {
            return Err(Rejection::NotStaked { staked });
        }
        let amount = if amount == Self::ALL { staked } else { amount };
        let left = staked.checked_sub(amount).ok_or(Rejection::NotStaked { staked })?;
        let amount = if left < least { staked } else { amount };
        let key = UnbondingKey { free, owner: signer, node: state.answers_for(&node) };
        state.nodes.take_stake(node, signer, amount.base_units());
        state.accounts.credit_later(key, amount.base_units(), state.height);
        Ok(UnstakeOutcome { node, amount, free: BlockHeight(free) })
    }

    fn description(outcome: &Self::Outcome) -> Description {
        let UnstakeOutcome { node, amount, free } = outcome;
        let rest = format!("tokens from {node}; they can be spent from block {free} on");
        Description {
            future: format!("removes a stake of {amount} {rest}"),
            past: format!("removed a stake of {amount} {rest}"),
        }
    }
}
