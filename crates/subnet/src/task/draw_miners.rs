//! Which miners a task is set to, when a subnet has more than a task can have.
//!
//! Miners that the validator knows little about come first, in up to half of the places, so that a newcomer is known
//! within a few epochs in a subnet of any size; the others share the rest by lot.
//!
//! Of the newcomers' places, half go to those with the fewest tasks, so that one that has just come does not wait for
//! all that came before, and the other half by lot among all newcomers.
//!
//! # What a hostile node can do
//! * *Register many keys, again and again*: together they have half of the places at most, so that no miner that users
//!   are sent to loses a test; and the part by lot keeps keys without a task from taking all places of the newcomers
//!   that were tested once.
//! * *Wait for its first task*: it is set one in the next batch of each validator, whatever it does.

use crate::Dice;

/// Of a task's places, one in this many is for newcomers, if there are enough of them.
const NEWCOMERS: usize = 2;

/// Of the newcomers' places, one in this many is by lot.
const BY_LOT: usize = 2;

/// A miner that the validator knows little about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NewMiner<T> {
    /// Which miner.
    pub miner: T,
    /// The tasks that the validator has set it so far.
    pub tasks: u32,
}

/// At most `places` miners: of `new` ones, which the validator has set few tasks to, and of `known` ones. In ascending
/// order.
pub fn draw_miners<T: Copy + Ord>(
    new: &[NewMiner<T>],
    known: &[T],
    places: usize,
    dice: &mut Dice,
) -> Vec<T> {
    // What the others do not fill is free for newcomers.
    let share = (places / NEWCOMERS).max(places.saturating_sub(known.len()));
    let mut drawn = newcomers(new, share, dice);
    drawn.extend(lot(known, places.saturating_sub(drawn.len()), dice));
    drawn.sort_unstable();
    drawn
}

fn newcomers<T: Copy>(new: &[NewMiner<T>], places: usize, dice: &mut Dice) -> Vec<T> {
    let mut new = new.to_vec();
    // The lot decides among those with equally few tasks: the sort is stable.
    dice.shuffle(&mut new);
    new.sort_by_key(|one| one.tasks);
    let rest = new.split_off(new.len().min(places.div_ceil(BY_LOT)));
    new.extend(lot(&rest, places.saturating_sub(new.len()), dice));
    new.into_iter().map(|one| one.miner).collect()
}

fn lot<T: Copy>(of: &[T], count: usize, dice: &mut Dice) -> Vec<T> {
    dice.distinct(count, of.len() as u64).into_iter().filter_map(|at| of.get(at as usize).copied()).collect()
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, ops::Range};

    use super::*;

    /// Newcomers without a task.
    fn untested(miners: Range<u16>) -> Vec<NewMiner<u16>> {
        miners.map(|miner| NewMiner { miner, tasks: 0 }).collect()
    }

    fn drawn(new: &[NewMiner<u16>], known: Range<u16>, seed: u64) -> Vec<u16> {
        draw_miners(new, &known.collect::<Vec<_>>(), 64, &mut Dice::new(seed.into()))
    }

    fn below(drawn: &[u16], below: u16) -> usize {
        drawn.iter().filter(|miner| **miner < below).count()
    }

    #[test]
    fn few_newcomers_are_in_every_task_and_a_flood_takes_half() {
        for seed in 0..20 {
            assert_eq!(below(&drawn(&untested(0..5), 100..4_100, seed), 5), 5);
            let flooded = drawn(&untested(0..3_000), 3_000..4_100, seed);
            assert_eq!((flooded.len(), below(&flooded, 3_000)), (64, 32));
            assert!(flooded.is_sorted());
        }
        // By lot alone, five of 4,005 are hardly ever met.
        let by_lot = (0..20).map(|seed| below(&drawn(&[], 0..4_005, seed), 5)).sum::<usize>();
        assert!(by_lot < 10, "{by_lot}");
    }

    #[test]
    fn one_that_has_just_come_does_not_wait_for_those_before_it() {
        let mut new = untested(0..5);
        new.extend((5..4_096).map(|miner| NewMiner { miner, tasks: 3 }));
        for seed in 0..20 {
            assert_eq!(below(&drawn(&new, 0..0, seed), 5), 5);
        }
        // The variant without: all newcomers by lot.
        let alike: Vec<_> = new.iter().map(|one| NewMiner { tasks: 0, ..*one }).collect();
        let by_lot = (0..20).map(|seed| below(&drawn(&alike, 0..0, seed), 5)).sum::<usize>();
        assert!(by_lot < 10, "{by_lot}");
    }

    #[test]
    fn a_flood_of_keys_without_a_task_leaves_places_to_other_newcomers() {
        let mut new = untested(0..1_000);
        new.extend((1_000..1_020).map(|miner| NewMiner { miner, tasks: 4 }));
        let met =
            (0..400).map(|seed| 32 - below(&drawn(&new, 2_000..3_000, seed)[..32], 1_000)).sum::<usize>();
        // 16 places by lot among 1,004: the 20 have a third of a place in each task.
        assert!((60..200).contains(&met), "{met}");
    }

    #[test]
    fn places_are_filled_and_everyone_has_a_turn() {
        assert_eq!(drawn(&untested(0..90), 90..100, 1).len(), 64);
        assert_eq!(drawn(&untested(0..3), 3..10, 1), (0..10).collect::<Vec<_>>());
        assert_eq!(drawn(&[], 0..0, 1), Vec::<u16>::new());
        let met: BTreeSet<u16> = (0..30).flat_map(|seed| drawn(&untested(0..80), 80..160, seed)).collect();
        assert_eq!(met.len(), 160);
    }
}
