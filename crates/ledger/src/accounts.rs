//! Who holds what: balances, and what is on its way back from a stake.
//!
//! What is unbonding still answers for the node that it was staked on: an equivocation that is proven later is slashed
//! from it, too. An entry therefore names the node and the block of the unstaking, and the slash is applied when the
//! entry is released, so that a slash costs the same whatever the number of stakers.
//!
//! Invariant: together with stakes, locks and pending emission, what is held here adds up to the
//! issuance. Nothing in this file creates or destroys an amount except `Accounts::credit` and
//! `Accounts::debit`, and their callers owe the other side of the entry.

use imbl::OrdMap;
use nervure_primitives::{Amount, NodeId};
use serde::{Deserialize, Serialize};

use crate::nodes::NodeNumber;

/// What an owner key holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// What it can spend.
    pub balance: Amount,
    /// The nonce that its next transaction has to carry. Accounts are never deleted, so that no
    /// nonce comes twice.
    pub nonce: u64,
}

/// Which unstaked amount, in the order in which they become free.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct UnbondingKey {
    /// The block at which it is free.
    pub free: u64,
    /// Whose it is.
    pub owner: NodeId,
    /// The node that it was staked on and answers for; none when that node was slashed before, so that it answers for
    /// nothing more.
    pub node: Option<NodeNumber>,
}

/// An unstaked amount.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unbonding {
    /// How much was unstaked; a slash is taken from it when it is released.
    pub amount: Amount,
    /// The block in which it was unstaked.
    pub unstaked: u64,
}

/// All accounts, by owner key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Accounts {
    pub(crate) held: OrdMap<NodeId, Account>,
    /// Unstaked amounts.
    pub(crate) unbonding: OrdMap<UnbondingKey, Unbonding>,
}

impl Accounts {
    /// The account of `owner`; an empty one when it was never paid anything.
    pub fn get(&self, owner: &NodeId) -> Account {
        self.held.get(owner).copied().unwrap_or_default()
    }

    /// What `owner` unstaked and does not have back yet, before slashes; see
    /// [`LedgerState::unbonding_of`](crate::state::LedgerState::unbonding_of).
    pub fn unbonding(&self, owner: &NodeId) -> impl Iterator<Item = (UnbondingKey, Unbonding)> {
        self.unbonding.iter().filter(move |(key, _)| key.owner == *owner).map(|(key, entry)| (*key, *entry))
    }

    /// All of it in base units, with what is unbonding.
    pub(crate) fn total(&self) -> u128 {
        let held = self.held.values().map(|account| account.balance);
        let due = self.unbonding.values().map(|entry| entry.amount);
        held.chain(due).map(|amount| u128::from(amount.base_units())).sum()
    }

    /// Adds to a balance.
    pub(crate) fn credit(&mut self, owner: NodeId, amount: u64) {
        if amount > 0 {
            add(&mut self.held.entry(owner).or_default().balance, amount);
        }
    }

    /// Takes from a balance; `false`, and nothing happens, when it is too small.
    #[must_use]
    pub(crate) fn debit(&mut self, owner: &NodeId, amount: u64) -> bool {
        if amount == 0 {
            return true;
        }
        let Some(account) = self.held.get_mut(owner) else { return false };
        let left = account.balance.checked_sub(Amount::from_base_units(amount));
        left.map(|left| account.balance = left).is_some()
    }

    /// Counts a transaction of `owner`.
    pub(crate) fn advance_nonce(&mut self, owner: NodeId) {
        let account = self.held.entry(owner).or_default();
        account.nonce = account.nonce.saturating_add(1);
    }

    /// Keeps `amount`, unstaked in block `unstaked`, until it is free.
    pub(crate) fn credit_later(&mut self, key: UnbondingKey, amount: u64, unstaked: u64) {
        if amount > 0 {
            let entry = self.unbonding.entry(key).or_default();
            add(&mut entry.amount, amount);
            // Entries that become free together were unstaked together.
            entry.unstaked = unstaked;
        }
    }

    /// Pays out everything that is free at `block`, less what `slash` takes of it. Returns what was slashed, in base
    /// units: the caller owes the other side of the entry.
    #[must_use]
    pub(crate) fn release(&mut self, block: u64, slash: impl Fn(&UnbondingKey, &Unbonding) -> u64) -> u64 {
        let mut slashed: u64 = 0;
        // The block comes first in the key, so the least entry is the next one that becomes free.
        while let Some((key, entry)) = self.unbonding.get_min().copied() {
            if key.free > block {
                break;
            }
            self.unbonding.remove(&key);
            let amount = entry.amount.base_units();
            let taken = slash(&key, &entry).min(amount);
            slashed = slashed.saturating_add(taken);
            self.credit(key.owner, amount - taken);
        }
        slashed
    }
}

/// Adds to an amount. All amounts of a mesh together stay below 2^64: see the cap of the issuance.
pub(crate) fn add(to: &mut Amount, amount: u64) {
    *to = Amount::from_base_units(to.base_units().saturating_add(amount));
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: NodeId = NodeId::from_bytes([1; 32]);

    fn later(accounts: &mut Accounts, amount: u64, free: u64) {
        let key = UnbondingKey { free, owner: A, node: Some(NodeNumber(3)) };
        accounts.credit_later(key, amount, free - 5);
    }

    #[test]
    fn unbonding_tokens_are_counted_until_they_are_paid() {
        let mut accounts = Accounts::default();
        later(&mut accounts, 5, 10);
        later(&mut accounts, 6, 11);
        later(&mut accounts, 1, 10);
        assert_eq!(accounts.release(9, |_, _| 0), 0);
        assert_eq!((accounts.get(&A), accounts.total()), (Account::default(), 12));
        assert_eq!(accounts.release(10, |_, _| 0), 0);
        assert_eq!(accounts.get(&A).balance, Amount::from_base_units(6));
        let left: Vec<_> = accounts.unbonding(&A).map(|(key, entry)| (key.free, entry)).collect();
        assert_eq!(left, [(11, Unbonding { amount: Amount::from_base_units(6), unstaked: 6 })]);
        assert_eq!(accounts.total(), 12);
    }

    #[test]
    fn a_slash_is_taken_from_what_is_released() {
        let mut accounts = Accounts::default();
        later(&mut accounts, 100, 10);
        later(&mut accounts, 50, 11);
        let slash = |key: &UnbondingKey, entry: &Unbonding| {
            assert_eq!((key.node, entry.unstaked), (Some(NodeNumber(3)), 5));
            entry.amount.base_units() / 4
        };
        assert_eq!(accounts.release(10, slash), 25);
        assert_eq!((accounts.get(&A).balance, accounts.total()), (Amount::from_base_units(75), 125));
        assert_eq!(accounts.release(11, |_, _| u64::MAX), 50, "never more than there is");
    }

    #[test]
    fn no_balance_goes_below_zero() {
        let mut accounts = Accounts::default();
        assert!(!accounts.debit(&A, 1));
        accounts.credit(A, 3);
        assert!(!accounts.debit(&A, 4));
        assert!(accounts.debit(&A, 3) && accounts.total() == 0);
    }
}
