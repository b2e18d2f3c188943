//! Who holds what: balances, and what is on its way back from a stake.
//!
//! What is unbonding still answers for the node that it was staked on: an equivocation that is proven later is slashed
//! from it, too. An entry therefore names the node and the block of the unstaking, and the slash is applied when the
//! entry is released, so that a slash costs the same whatever the number of stakers.
//!
//! Invariant: together with stakes, locks and pending emission, what is held here adds up to the
//! issuance. Nothing in this file creates or destroys an amount except `Accounts::credit`, `Accounts::debit` and
//! `Accounts::reap`, and their callers owe the other side of the entry.
//!
//! **Reaping.** An account with less than the existential deposit does not exist. A new account begins at the greatest
//! nonce that any removed account had, so that no transaction of a removed account is ever valid again: not even one of
//! the same block.

use imbl::OrdMap;
use nervure_primitives::{Amount, NodeId};
use serde::{Deserialize, Serialize};

use crate::{
    nodes::NodeNumber,
    vesting::{Vesting, VestingKey},
};

/// What an owner key holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// What it can spend.
    pub balance: Amount,
    /// The nonce that its next transaction has to carry.
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
    /// The nonce that a new account begins with: at least that of every account that was removed.
    pub(crate) first_nonce: u64,
    /// Unstaked amounts.
    unbonding: OrdMap<UnbondingKey, Unbonding>,
    /// How many of them answer for each node: follows from `unbonding`.
    answering: OrdMap<NodeNumber, u64>,
    /// Vested amounts.
    pub(crate) vesting: OrdMap<VestingKey, Vesting>,
}

impl Accounts {
    /// The account of `owner`; if it does not exist, what it would begin with: no balance, and the first nonce of new
    /// accounts.
    pub fn get(&self, owner: &NodeId) -> Account {
        let new = Account { balance: Amount::ZERO, nonce: self.first_nonce };
        self.held.get(owner).copied().unwrap_or(new)
    }

    /// Whether `owner` has an account.
    pub fn exists(&self, owner: &NodeId) -> bool {
        self.held.contains_key(owner)
    }

    /// All accounts, by owner key.
    pub fn iter(&self) -> impl Iterator<Item = (&NodeId, &Account)> {
        self.held.iter()
    }

    /// Whether something that was unstaked from this node is still unbonding, and answers for it.
    pub fn answers_for(&self, node: NodeNumber) -> bool {
        self.answering.contains_key(&node)
    }

    /// What `owner` unstaked and does not have back yet, before slashes; see
    /// [`LedgerState::unbonding_of`](crate::state::LedgerState::unbonding_of).
    pub fn unbonding(&self, owner: &NodeId) -> impl Iterator<Item = (UnbondingKey, Unbonding)> {
        self.unbonding.iter().filter(move |(key, _)| key.owner == *owner).map(|(key, entry)| (*key, *entry))
    }

    /// All unstaked amounts.
    pub(crate) fn all_unbonding(&self) -> &OrdMap<UnbondingKey, Unbonding> {
        &self.unbonding
    }

    /// All of it in base units, with what is unbonding or not vested yet.
    pub(crate) fn total(&self) -> u128 {
        let held = self.held.values().map(|account| account.balance);
        let due = self.unbonding.values().map(|entry| entry.amount);
        let vesting: u128 = self.vesting.values().map(|one| u128::from(one.left())).sum();
        held.chain(due).map(|amount| u128::from(amount.base_units())).sum::<u128>() + vesting
    }

    /// What of `owner` becomes free at `block`.
    pub(crate) fn unbonding_at(&self, block: u64, owner: NodeId) -> impl Iterator<Item = UnbondingKey> {
        let key = |node| UnbondingKey { free: block, owner, node };
        self.unbonding.range(key(None)..=key(Some(NodeNumber(u64::MAX)))).map(|(key, _)| *key)
    }

    /// Adds to a balance. `false`, and nothing happens, when there is no account and `amount` is less than `least`, which
    /// an account has to hold.
    #[must_use]
    pub(crate) fn credit(&mut self, owner: NodeId, amount: u64, least: u64) -> bool {
        if amount == 0 {
            return true;
        }
        if amount < least && !self.exists(&owner) {
            return false;
        }
        let new = Account { balance: Amount::ZERO, nonce: self.first_nonce };
        add(&mut self.held.entry(owner).or_insert(new).balance, amount);
        true
    }

    /// Removes the account of `owner` if it holds less than `least`. Returns what it held, in base units.
    #[must_use]
    pub(crate) fn reap(&mut self, owner: &NodeId, least: u64) -> u64 {
        let found = self.held.get(owner).filter(|account| account.balance.base_units() < least);
        let Some(Account { balance, nonce }) = found.copied() else { return 0 };
        self.held.remove(owner);
        self.first_nonce = self.first_nonce.max(nonce);
        balance.base_units()
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
        let new = self.get(&owner);
        let account = self.held.entry(owner).or_insert(new);
        account.nonce = account.nonce.saturating_add(1);
    }

    /// Keeps `amount`, unstaked in block `unstaked`, until it is free.
    pub(crate) fn credit_later(&mut self, key: UnbondingKey, amount: u64, unstaked: u64) {
        if amount > 0 {
            let mut entry = self.unbonding.get(&key).copied().unwrap_or_default();
            add(&mut entry.amount, amount);
            // Entries that become free together were unstaked together.
            entry.unstaked = unstaked;
            let _ = self.insert_unbonding(key, entry);
        }
    }

    /// Puts an unstaked amount in; `true` when there was one under this key.
    #[must_use]
    pub(crate) fn insert_unbonding(&mut self, key: UnbondingKey, entry: Unbonding) -> bool {
        let twice = self.unbonding.insert(key, entry).is_some();
        if let Some(node) = key.node.filter(|_| !twice) {
            let count = self.answering.entry(node).or_insert(0);
            *count = count.saturating_add(1);
        }
        twice
    }

    /// Takes an unstaked amount out.
    pub(crate) fn take_unbonding(&mut self, key: &UnbondingKey) -> Option<Unbonding> {
        let entry = self.unbonding.remove(key)?;
        if let Some(node) = key.node {
            match self.answering.get(&node).copied() {
                Some(count) if count > 1 => drop(self.answering.insert(node, count - 1)),
                Some(_) | None => drop(self.answering.remove(&node)),
            }
        }
        Some(entry)
    }

    /// Pays out everything that is free at `block`, less what `slash` takes of it. Returns what was not paid out, in base
    /// units: the slashed part, and what would make an account with less than `least`. The caller owes the other side of
    /// the entry.
    #[must_use]
    pub(crate) fn release(
        &mut self,
        block: u64,
        least: u64,
        slash: impl Fn(&UnbondingKey, &Unbonding) -> u64,
    ) -> u64 {
        let mut kept: u64 = 0;
        // The block comes first in the key, so the least entry is the next one that becomes free.
        while let Some((key, entry)) = self.unbonding.get_min().copied() {
            if key.free > block {
                break;
            }
            let _ = self.take_unbonding(&key);
            let amount = entry.amount.base_units();
            let taken = slash(&key, &entry).min(amount);
            let paid = self.credit(key.owner, amount - taken, least);
            kept = kept.saturating_add(if paid { taken } else { amount });
        }
        kept
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
        assert_eq!(accounts.release(9, 0, |_, _| 0), 0);
        assert_eq!((accounts.get(&A), accounts.total()), (Account::default(), 12));
        assert_eq!(accounts.release(10, 0, |_, _| 0), 0);
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
        assert_eq!(accounts.release(10, 0, slash), 25);
        assert_eq!((accounts.get(&A).balance, accounts.total()), (Amount::from_base_units(75), 125));
        assert_eq!(accounts.release(11, 0, |_, _| u64::MAX), 50, "never more than there is");
    }

    #[test]
    fn no_balance_goes_below_zero() {
        let mut accounts = Accounts::default();
        assert!(!accounts.debit(&A, 1));
        assert!(accounts.credit(A, 3, 0));
        assert!(!accounts.debit(&A, 4));
        assert!(accounts.debit(&A, 3) && accounts.total() == 0);
    }

    #[test]
    fn a_small_account_does_not_exist_and_no_nonce_comes_twice() {
        let (mut accounts, least) = (Accounts::default(), 10);
        assert!(!accounts.credit(A, 9, least) && !accounts.exists(&A));
        assert!(accounts.credit(A, 10, least) && accounts.credit(A, 1, least), "an account takes any amount");
        (0..5).for_each(|_| accounts.advance_nonce(A));
        assert_eq!(accounts.reap(&A, least), 0, "it holds enough");
        assert!(accounts.debit(&A, 2));
        assert_eq!((accounts.reap(&A, least), accounts.total()), (9, 0));
        assert_eq!((accounts.exists(&A), accounts.get(&A).nonce), (false, 5));
        let other = NodeId::from_bytes([2; 32]);
        assert!(accounts.credit(other, 10, least) && accounts.credit(A, 10, least));
        assert_eq!([A, other].map(|owner| accounts.get(&owner).nonce), [5, 5]);
        // The first nonce never falls.
        assert!(accounts.debit(&other, 10));
        assert_eq!((accounts.reap(&other, least), accounts.get(&other).nonce), (0, 5));
    }

    #[test]
    fn what_is_released_makes_no_small_account() {
        let mut accounts = Accounts::default();
        later(&mut accounts, 9, 10);
        later(&mut accounts, 30, 11);
        assert!(accounts.answers_for(NodeNumber(3)));
        assert_eq!((accounts.release(10, 10, |_, _| 0), accounts.exists(&A)), (9, false));
        assert!(accounts.answers_for(NodeNumber(3)));
        assert_eq!(accounts.release(11, 10, |_, _| 25), 30, "what is left after the slash is too little");
        assert!(!accounts.answers_for(NodeNumber(3)));
    }
}
