//! Who holds what: balances, and what is on its way back from a stake.
//!
//! Invariant: together with stakes, locks and pending emission, what is held here adds up to the
//! issuance. Nothing in this file creates or destroys an amount except `Accounts::credit` and
//! `Accounts::debit`, and their callers owe the other side of the entry.

use imbl::OrdMap;
use nervure_primitives::{Amount, NodeId};
use serde::{Deserialize, Serialize};

/// What an owner key holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// What it can spend.
    pub balance: Amount,
    /// The nonce that its next transaction has to carry. Accounts are never deleted, so that no
    /// nonce comes twice.
    pub nonce: u64,
}

/// All accounts, by owner key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Accounts {
    pub(crate) held: OrdMap<NodeId, Account>,
    /// Unstaked amounts, by the block at which they are free and by whose they are.
    pub(crate) unbonding: OrdMap<(u64, NodeId), Amount>,
}

impl Accounts {
    /// The account of `owner`; an empty one when it was never paid anything.
    pub fn get(&self, owner: &NodeId) -> Account {
        self.held.get(owner).copied().unwrap_or_default()
    }

    /// What `owner` gets back later, by the block at which it does.
    pub fn unbonding(&self, owner: &NodeId) -> impl Iterator<Item = (u64, Amount)> {
        let of_owner = move |((block, of), amount): (&(u64, NodeId), &Amount)| {
            (of == owner).then_some((*block, *amount))
        };
        self.unbonding.iter().filter_map(of_owner)
    }

    /// All of it in base units, with what is unbonding.
    pub(crate) fn total(&self) -> u128 {
        let held = self.held.values().map(|account| account.balance);
        let due = self.unbonding.values().copied();
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

    /// Pays `amount` to `owner` at block `free`.
    pub(crate) fn credit_later(&mut self, owner: NodeId, amount: u64, free: u64) {
        if amount > 0 {
            add(self.unbonding.entry((free, owner)).or_default(), amount);
        }
    }

    /// Pays out everything that is free at `block`.
    pub(crate) fn release(&mut self, block: u64) {
        // The block comes first in the key, so the least entry is the next one that becomes free.
        while let Some(((free, owner), amount)) = self.unbonding.get_min().copied() {
            if free > block {
                return;
            }
            self.unbonding.remove(&(free, owner));
            self.credit(owner, amount.base_units());
        }
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

    #[test]
    fn unbonding_tokens_are_counted_until_they_are_paid() {
        let mut accounts = Accounts::default();
        accounts.credit_later(A, 5, 10);
        accounts.credit_later(A, 6, 11);
        accounts.credit_later(A, 1, 10);
        accounts.release(9);
        assert_eq!((accounts.get(&A), accounts.total()), (Account::default(), 12));
        accounts.release(10);
        assert_eq!(accounts.get(&A).balance, Amount::from_base_units(6));
        assert_eq!(accounts.unbonding(&A).collect::<Vec<_>>(), [(11, Amount::from_base_units(6))]);
        assert_eq!(accounts.total(), 12);
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
