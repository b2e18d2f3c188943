//! Stake that was moved from one node to another, and still answers for the first one.
//!
//! A stake that leaves a node by unstaking answers for it until the unbonding time is over. Moved stake does the same where
//! it is now: for that long it stays there, and what is slashed of it for the first node is taken when the time is over.
//! So a slash costs the same whatever was moved, and no stake answers for more than two nodes.
//!
//! Invariant: the bound part of a stake is the sum of its entries. No operation takes it from the stake before they are
//! released; a slash of the node that it is on may.

use imbl::OrdMap;
use nervure_primitives::{Amount, NodeId};
use serde::{Deserialize, Serialize};

use super::NodeNumber;

/// Which moved stake, in the order in which they become free.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct MovedKey {
    /// The block at which it answers for the first node no more.
    pub free: u64,
    /// Whose it is.
    pub staker: NodeId,
    /// The node that it was on, and answers for.
    pub from: NodeNumber,
    /// The node that it is on.
    pub to: NodeNumber,
}

/// A moved stake.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MovedStake {
    /// How much was moved; a slash is taken of it when it is free.
    pub amount: Amount,
    /// The block in which it was moved.
    pub moved: u64,
}

/// All moved stakes that are not free yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MovedStakes {
    pub(crate) entries: OrdMap<MovedKey, MovedStake>,
    /// The sum of the entries of each stake, in base units. None is zero.
    bound: OrdMap<(NodeNumber, NodeId), u64>,
    /// How many entries answer for each node. None is zero.
    answering: OrdMap<NodeNumber, u64>,
}

impl MovedStakes {
    /// What of the stake of `staker` on node `to` has to stay there, in base units.
    pub(crate) fn bound(&self, to: NodeNumber, staker: NodeId) -> u64 {
        self.bound.get(&(to, staker)).copied().unwrap_or(0)
    }

    /// Whether a stake that was moved away from this node still answers for it.
    pub(crate) fn answers_for(&self, from: NodeNumber) -> bool {
        self.answering.contains_key(&from)
    }

    /// The moved stakes of `staker`. Costs as much as there are of all stakers.
    pub(crate) fn of(&self, staker: NodeId) -> impl Iterator<Item = (MovedKey, MovedStake)> {
        self.entries.iter().filter(move |(key, _)| key.staker == staker).map(|(key, entry)| (*key, *entry))
    }

    /// Keeps an entry; what is moved twice in a block between the same nodes is one. `true` if there was none.
    pub(crate) fn insert(&mut self, key: MovedKey, MovedStake { amount, moved }: MovedStake) -> bool {
        let entry = self.entries.entry(key).or_default();
        let is_new = entry.amount.is_zero();
        *entry = MovedStake { amount: sum(entry.amount.base_units(), amount.base_units()), moved };
        let bound = self.bound.entry((key.to, key.staker)).or_default();
        *bound = bound.saturating_add(amount.base_units());
        if is_new {
            let count = self.answering.entry(key.from).or_default();
            *count = count.saturating_add(1);
        }
        is_new
    }

    /// Removes the next entry that is free at `block`.
    pub(crate) fn release(&mut self, block: u64) -> Option<(MovedKey, MovedStake)> {
        // The block comes first in the key, so the least entry is the next one that becomes free.
        let (key, entry) = self.entries.get_min().copied().filter(|(key, _)| key.free <= block)?;
        self.entries.remove(&key);
        match self.answering.get(&key.from).copied() {
            Some(count) if count > 1 => drop(self.answering.insert(key.from, count - 1)),
            Some(_) | None => drop(self.answering.remove(&key.from)),
        }
        let place = (key.to, key.staker);
        let left = self.bound(key.to, key.staker).saturating_sub(entry.amount.base_units());
        if left == 0 {
            self.bound.remove(&place);
        } else {
            self.bound.insert(place, left);
        }
        Some((key, entry))
    }
}

fn sum(one: u64, other: u64) -> Amount {
    Amount::from_base_units(one.saturating_add(other))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stake_is_bound_until_the_last_of_its_entries_is_free() {
        let staker = NodeId::from_bytes([1; 32]);
        let key = |free, from| MovedKey { free, staker, from: NodeNumber(from), to: NodeNumber(9) };
        let entry = |amount, moved| MovedStake { amount: Amount::from_base_units(amount), moved };
        let mut moved = MovedStakes::default();
        assert!(moved.insert(key(10, 1), entry(5, 2)) && !moved.insert(key(10, 1), entry(6, 2)));
        assert!(moved.insert(key(12, 1), entry(7, 4)) && moved.insert(key(12, 2), entry(1, 4)));
        assert_eq!((moved.bound(NodeNumber(9), staker), moved.of(staker).count()), (19, 3));
        assert_eq!(moved.release(9), None);
        assert_eq!(moved.release(10), Some((key(10, 1), entry(11, 2))));
        assert_eq!((moved.release(11), moved.bound(NodeNumber(9), staker)), (None, 8));
        assert!(moved.answers_for(NodeNumber(1)) && !moved.answers_for(NodeNumber(9)));
        while moved.release(12).is_some() {}
        assert_eq!(moved, MovedStakes::default());
    }
}
