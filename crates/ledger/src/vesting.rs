//! Amounts that become free little by little.
//!
//! A vested amount is held apart from balances, under its recipient and its sender. Nothing of it is free before the
//! cliff; from then on it grows evenly from the start to the end. It cannot be taken back, staked or spent before it
//! is free. Together with balances and stakes it adds up to the issuance.
//!
//! What a hostile sender can do: fill its own [`MAX_VESTINGS`] places with a recipient. What it cannot: take the places
//! of other senders, or make a recipient's claim dear: a claim names one sender.

use nervure_primitives::{Amount, NodeId};
use serde::{Deserialize, Serialize};

use crate::accounts::{Accounts, add};

/// Most vested amounts from one sender to one recipient at a time.
pub const MAX_VESTINGS: u8 = 8;

/// Which vested amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct VestingKey {
    /// Whose it becomes.
    pub to: NodeId,
    /// Who gave it; the recipient itself for an amount of the genesis.
    pub from: NodeId,
    /// Its number among those of both, from 0.
    pub number: u8,
}

/// A vested amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Vesting {
    /// All of it.
    pub amount: Amount,
    /// What was claimed of it so far.
    pub claimed: Amount,
    /// The block from which it grows.
    pub start: u64,
    /// The block before which nothing is free.
    pub cliff: u64,
    /// The block at which all of it is free.
    pub end: u64,
}

impl Vesting {
    /// What is still held.
    pub fn left(&self) -> u64 {
        self.amount.base_units().saturating_sub(self.claimed.base_units())
    }

    /// What can be claimed at block `height`, in base units.
    pub fn free(&self, height: u64) -> u64 {
        if height < self.cliff {
            return 0;
        }
        let (passed, whole) = (height.saturating_sub(self.start), self.end.saturating_sub(self.start));
        let amount = self.amount.base_units();
        // Rounded down; at the end, all of it.
        let vested = match passed < whole {
            true => u128::from(amount) * u128::from(passed) / u128::from(whole),
            false => u128::from(amount),
        };
        // Never more than the amount, which fits.
        u64::try_from(vested).unwrap_or(amount).saturating_sub(self.claimed.base_units())
    }

    /// What can be claimed at block `height`, in base units: what is free, but of a record that stays at least `least`, which
    /// pays for it.
    pub fn claimable(&self, height: u64, least: u64) -> u64 {
        let (free, left) = (self.free(height), self.left());
        if free < left { free.min(left.saturating_sub(least)) } else { free }
    }
}

impl Accounts {
    /// The vested amounts of `to`.
    pub fn vesting(&self, to: &NodeId) -> impl Iterator<Item = (VestingKey, Vesting)> {
        let zero = NodeId::from_bytes([0; 32]);
        let to = *to;
        let from = VestingKey { to, from: zero, number: 0 };
        self.vesting.range(from..).take_while(move |(key, _)| key.to == to).map(|(key, one)| (*key, *one))
    }

    /// Those from one sender.
    pub(crate) fn vesting_from(
        &self,
        to: NodeId,
        from: NodeId,
    ) -> impl Iterator<Item = (VestingKey, Vesting)> {
        (0..MAX_VESTINGS).filter_map(move |number| {
            let key = VestingKey { to, from, number };
            self.vesting.get(&key).map(|one| (key, *one))
        })
    }

    /// Keeps a vested amount that its sender has paid; none when there is no place for it.
    #[must_use]
    pub(crate) fn vest(&mut self, to: NodeId, from: NodeId, vesting: Vesting) -> Option<VestingKey> {
        let mut keys = (0..MAX_VESTINGS).map(|number| VestingKey { to, from, number });
        let key = keys.find(|key| !self.vesting.contains_key(key))?;
        self.vesting.insert(key, vesting);
        Some(key)
    }

    /// Gives all that `from` gave `old` to `new`, which has places for it.
    pub(crate) fn rotate_vested(&mut self, (old, new): (NodeId, NodeId), from: NodeId) {
        let all: Vec<_> = self.vesting_from(old, from).collect();
        for (key, one) in all {
            if self.vest(new, from, one).is_some() {
                self.vesting.remove(&key);
            }
        }
    }

    /// What `to` can claim at block `height` of what `from` gave, in base units; see [`Vesting::claimable`].
    pub(crate) fn claimable(&self, (to, from): (NodeId, NodeId), height: u64, least: u64) -> u64 {
        self.vesting_from(to, from).map(|(_, one)| one.claimable(height, least)).fold(0, u64::saturating_add)
    }

    /// Takes [`Self::claimable`] out. The caller pays it to `to`.
    pub(crate) fn take_vested(&mut self, (to, from): (NodeId, NodeId), height: u64, least: u64) -> u64 {
        let all: Vec<_> = self.vesting_from(to, from).collect();
        let mut claimed: u64 = 0;
        for (key, mut one) in all {
            let free = one.claimable(height, least);
            claimed = claimed.saturating_add(free);
            add(&mut one.claimed, free);
            match one.left() {
                0 => drop(self.vesting.remove(&key)),
                _ => drop(self.vesting.insert(key, one)),
            }
        }
        claimed
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TO: NodeId = NodeId::from_bytes([1; 32]);
    const FROM: NodeId = NodeId::from_bytes([2; 32]);

    fn vesting(amount: u64, (start, cliff, end): (u64, u64, u64)) -> Vesting {
        Vesting { amount: Amount::from_base_units(amount), claimed: Amount::ZERO, start, cliff, end }
    }

    #[test]
    fn nothing_is_free_before_the_cliff_and_all_at_the_end() {
        let one = vesting(1_000, (100, 150, 200));
        let free: Vec<_> = [0, 100, 149, 150, 151, 199, 200, u64::MAX].map(|at| one.free(at)).into();
        assert_eq!(free, [0, 0, 0, 500, 510, 990, 1_000, 1_000]);
        assert_eq!(vesting(7, (5, 5, 5)).free(5), 7);
        assert_eq!(vesting(u64::MAX, (0, 0, u64::MAX)).free(u64::MAX - 1), u64::MAX - 1);
    }

    #[test]
    fn each_sender_has_places_of_its_own() {
        let mut accounts = Accounts::default();
        let one = vesting(10, (0, 0, 10));
        for number in 0..MAX_VESTINGS {
            assert_eq!(accounts.vest(TO, FROM, one).map(|key| key.number), Some(number));
        }
        assert_eq!(accounts.vest(TO, FROM, one), None);
        assert_eq!(accounts.vest(TO, TO, one).map(|key| key.number), Some(0));
        assert_eq!(accounts.vesting(&TO).count(), 9);
        assert_eq!(accounts.take_vested((TO, FROM), 10, 5), 80);
        assert_eq!(accounts.vesting(&TO).map(|(key, _)| key.from).collect::<Vec<_>>(), [TO]);
    }

    proptest! {
        #[test]
        fn claims_in_any_blocks_give_the_same_in_the_end(
            amount in 1u64..u64::MAX / 2,
            start in 0u64..1_000,
            length in 0u64..1_000,
            at in proptest::collection::vec(0u64..3_000, 0..10),
        ) {
            let mut accounts = Accounts::default();
            let end = start + length;
            prop_assert!(accounts.vest(TO, FROM, vesting(amount, (start, start + length / 3, end))).is_some());
            let mut blocks = at;
            blocks.sort_unstable();
            let (of, mut paid) = ((TO, FROM), 0);
            for block in blocks {
                paid += accounts.take_vested(of, block, 3);
                prop_assert_eq!(accounts.total(), u128::from(amount - paid));
                let free = vesting(amount, (start, start + length / 3, end)).free(block);
                // The record that stays pays for itself.
                prop_assert!(paid == free || (paid < free && amount - paid == amount.min(3)));
            }
            paid += accounts.take_vested(of, end, 3);
            prop_assert_eq!(paid, amount);
            prop_assert_eq!(accounts.vesting(&TO).count(), 0);
        }
    }
}
