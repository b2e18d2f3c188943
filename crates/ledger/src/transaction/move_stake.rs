//! Moving stake to another node without unbonding.
//!
//! The stake counts on the new node at once, and loses no dividends. It answers for the former one as if it had been
//! unstaked: until the unbonding time is over it stays on the new node, and cannot be unstaked or moved again. Without
//! that, a validator could move its stake away right after an election, equivocate with the power that it still has, and
//! lose nothing. See [`crate::nodes::MovedStakes`].

use nervure_primitives::{Amount, BlockHeight, NodeId};
use serde::{Deserialize, Serialize};

use super::{
    Description, FundsRejection, NodeRejection, Rejection, SignerKey, StakeRejection, TransactionKind,
    Unstake, stake::powerless, weight,
};
use crate::{
    nodes::{MovedKey, MovedStake},
    proxies::ProxyScope,
    state::LedgerState,
};

/// Moves `amount` of the signer's stake from one node to another; all of it if less than the least stake would remain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MoveStake {
    /// The node that the stake is on.
    pub from: NodeId,
    /// The node that it goes to.
    pub to: NodeId,
    /// How much; [`Unstake::ALL`] is all that is not bound there.
    pub amount: Amount,
}

/// A stake that is on another node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MoveStakeOutcome {
    /// The node that it was on.
    pub from: NodeId,
    /// The node that it is on.
    pub to: NodeId,
    /// How much.
    pub amount: Amount,
    /// The block from which on it can be unstaked or moved again; none when the former node was slashed before, so that
    /// it answers for nothing.
    pub free: Option<BlockHeight>,
    /// Whether the new node has joined the validators. If not, the stake gives no voting power.
    pub validates: bool,
}

impl TransactionKind for MoveStake {
    type Outcome = MoveStakeOutcome;

    const SIGNER: SignerKey = SignerKey::Owner;

    fn weight(&self) -> u64 {
        weight::MOVE_STAKE
    }

    fn scope(&self) -> Option<ProxyScope> {
        Some(ProxyScope::Staking)
    }

    fn apply(&self, state: &mut LedgerState, signer: NodeId) -> Result<Self::Outcome, Rejection> {
        let Self { from, to, .. } = *self;
        if from == to {
            return Err(StakeRejection::SameNode { node: to }.into());
        }
        let target = state.nodes.get(&to).ok_or(NodeRejection::NoSuchNode { node: to })?.number;
        let amount = state.removable_stake(from, signer, self.amount)?;
        let least = Amount::from_base_units(state.params.min_stake);
        if state.nodes.stake_of(&to, &signer).checked_add(amount).is_some_and(|after| after < least) {
            return Err(StakeRejection::StakeTooSmall { least }.into());
        }
        // The deposit is the only part that can fail.
        if !state.nodes.add_stake(to, signer, amount.base_units()) {
            return Err(StakeRejection::StakeLost { node: to }.into());
        }
        state.nodes.take_stake(from, signer, amount.base_units());
        let free = state.answers_for(&from).map(|number| {
            let free = state.height.saturating_add(state.params.unbonding);
            let key = MovedKey { free, staker: signer, from: number, to: target };
            state.nodes.moved.insert(key, MovedStake { amount, moved: state.height });
            BlockHeight(free)
        });
        Ok(MoveStakeOutcome { from, to, amount, free, validates: state.roster.has_joined(&to) })
    }

    fn description(outcome: &Self::Outcome) -> Description {
        let MoveStakeOutcome { from, to, amount, free, validates } = outcome;
        let bound = free.map_or_else(String::new, |free| {
            format!("; it answers for {from} until block {free}, and cannot be removed or moved before")
        });
        let powerless = powerless(*validates);
        Description {
            future: format!("moves a stake of {amount} tokens from {from} to {to}{powerless}{bound}"),
            past: format!("moved a stake of {amount} tokens from {from} to {to}{powerless}{bound}"),
        }
    }

    #[cfg(test)]
    fn sample() -> super::Sample<Self> {
        use super::sample::{AMOUNT, BLOCK, node, other};
        let (from, to) = (node(), other());
        super::Sample {
            call: Self { from, to, amount: AMOUNT },
            call_hash: "281e76b45809654400d01679193727561d7cd7090cf6003d90de9f4afb7c81bb",
            outcome: MoveStakeOutcome { from, to, amount: AMOUNT, free: Some(BLOCK), validates: true },
            outcome_hash: "362ab2b5b085e28f8b27a72f0e2b088ef0efe4734b647a15b1c0da4217a7bd22",
            future: "moves a stake of 1.5 tokens from NODE to OTHER; it answers for NODE until block 300, and cannot be removed or moved before",
            past: "moved a stake of 1.5 tokens from NODE to OTHER; it answers for NODE until block 300, and cannot be removed or moved before",
        }
    }
}

impl LedgerState {
    /// How much of `staker`'s stake on `node` is removed by a wish for `amount`: all of it instead of leaving less than
    /// the least stake, and [`Unstake::ALL`] for all that may be removed. What was moved there and is bound stays.
    pub(super) fn removable_stake(
        &self,
        node: NodeId,
        staker: NodeId,
        amount: Amount,
    ) -> Result<Amount, Rejection> {
        if amount.is_zero() {
            return Err(FundsRejection::Nothing.into());
        }
        let found = self.nodes.get(&node).ok_or(NodeRejection::NoSuchNode { node })?;
        let staked = self.nodes.stake_of(&node, &staker);
        if staked.is_zero() {
            return Err(StakeRejection::NotStaked { staked }.into());
        }
        let bound = Amount::from_base_units(self.nodes.moved.bound(found.number, staker));
        let available = staked.checked_sub(bound).unwrap_or(Amount::ZERO);
        let wished = if amount == Unstake::ALL { available } else { amount };
        let left = staked.checked_sub(wished).ok_or(StakeRejection::NotStaked { staked })?;
        if wished.is_zero() || wished > available {
            return Err(StakeRejection::StakeBound { bound }.into());
        }
        let least = Amount::from_base_units(self.params.min_stake);
        let removed = if bound.is_zero() && left < least { staked } else { wished };
        // Each is a record, which is paid for by what it holds; what was unstaked makes an account in the end.
        let least = Amount::from_base_units(self.params.existential_deposit());
        if removed < least { Err(StakeRejection::UnstakeTooSmall { least }.into()) } else { Ok(removed) }
    }
}
