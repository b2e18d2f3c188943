//! Taking stake back. It counts for nothing at once, and can be spent after the unbonding time. Until then it answers for
//! what the node did as a validator.
//!
//! A stake grows with every block in which dividends are released, so that no staker can name the whole of it exactly:
//! [`Unstake::ALL`] stands for it. A remainder below the least stake is taken back, too. Stake that was moved here lately
//! stays ([`MoveStake`](super::MoveStake)).

use nervure_primitives::{Amount, BlockHeight, NodeId};
use serde::{Deserialize, Serialize};

use super::{Description, Rejection, SignerKey, TransactionKind, weight};
use crate::{accounts::UnbondingKey, proxies::ProxyScope, state::LedgerState};

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

    fn scope(&self) -> Option<ProxyScope> {
        Some(ProxyScope::Staking)
    }

    fn apply(&self, state: &mut LedgerState, signer: NodeId) -> Result<Self::Outcome, Rejection> {
        let Self { node, amount } = *self;
        let free = state.height.saturating_add(state.params.unbonding);
        let amount = state.removable_stake(node, signer, amount)?;
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

    fn intent(&self) -> Option<String> {
        let Self { node, amount } = self;
        Some(match amount.base_units() {
            u64::MAX => format!("removes the whole stake from {node}"),
            _ => format!("removes a stake of {amount} tokens from {node}"),
        })
    }

    #[cfg(test)]
    fn sample() -> super::Sample<Self> {
        use super::sample::{AMOUNT, BLOCK, node};
        super::Sample {
            call: Self { node: node(), amount: AMOUNT },
            call_hash: "ccce64b853f6c6fae78bb9634308c66343f57832664d26636cbc14087434e725",
            outcome: UnstakeOutcome { node: node(), amount: AMOUNT, free: BLOCK },
            outcome_hash: "9d5ef81522dee037f3b90e05db4ac1d2e6e67837ca53c64837988b1bbba9b403",
            future: "removes a stake of 1.5 tokens from NODE; they can be spent from block 300 on",
            past: "removed a stake of 1.5 tokens from NODE; they can be spent from block 300 on",
        }
    }
}
