//! Repeatable choices: the same [`Seed`] gives the same choices.
//!
//! A stream of SHA-256 blocks over the seed and a counter. The caller supplies the seed; a party that must
//! not predict a choice must not know the seed.

use std::fmt;

use nervure_primitives::Hash;

/// Bytes of one block of the stream.
const BLOCK_BYTES: usize = 32;

/// The seed of choices. Secret until the choices may be known, so `Debug` does not show it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Seed([u8; 32]);

impl Seed {
    /// Wraps 32 bytes, drawn by the caller.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// A seed for one purpose; it reveals nothing about the seeds of other purposes and numbers.
    pub fn derive(&self, purpose: &str, number: u64) -> Self {
        let parts: [&[u8]; 3] = [&self.0, purpose.as_bytes(), &number.to_be_bytes()];
        Self(*Hash::of("nervure/seed", &parts).as_bytes())
    }

    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl From<u64> for Seed {
    /// A seed of 64 bits, which can be guessed: for simulations and ties.
    fn from(number: u64) -> Self {
        Self([0; 32]).derive("number", number)
    }
}

impl fmt::Debug for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seed(secret)")
    }
}

/// The sequence of choices of a seed.
///
/// ```
/// use nervure_subnet::{Dice, Seed};
///
/// let (mut one, mut same) = (Dice::new(Seed::from(7)), Dice::new(Seed::from(7)));
/// assert_eq!(one.within(1, 6), same.within(1, 6));
/// ```
#[derive(Clone, Debug)]
pub struct Dice {
    seed: Seed,
    counter: u64,
    block: [u8; BLOCK_BYTES],
    used: usize,
}

impl Dice {
    /// The choices of `seed`, from the first one on.
    pub const fn new(seed: Seed) -> Self {
        Self { seed, counter: 0, block: [0; BLOCK_BYTES], used: BLOCK_BYTES }
    }

    /// 64 bits.
    pub fn bits(&mut self) -> u64 {
        if self.used >= BLOCK_BYTES {
            let parts: [&[u8]; 2] = [self.seed.as_bytes(), &self.counter.to_be_bytes()];
            self.block = *Hash::of("nervure/dice", &parts).as_bytes();
            (self.counter, self.used) = (self.counter.wrapping_add(1), 0);
        }
        let taken = self.block[self.used..].iter().take(8);
        self.used += 8;
        taken.fold(0, |bits, byte| bits << 8 | u64::from(*byte))
    }

    /// A number below `end`; 0 when `end` is 0. Off from uniform by at most `end` in 2^64.
    pub fn below(&mut self, end: u64) -> u64 {
        // Lemire's multiplication (D. Lemire, 2019) without its rejection step: the bias is given above, and
        // each choice takes one draw.
        ((u128::from(self.bits()) * u128::from(end)) >> 64) as u64
    }

    /// A number from `low` to `high`, both included; `low` when they are the wrong way round.
    pub fn within(&mut self, low: u64, high: u64) -> u64 {
        match high.checked_sub(low).map(|span| span.checked_add(1)) {
            Some(Some(span)) => low + self.below(span),
            // The span is 2^64, which has no number of 64 bits: any draw is in the range.
            Some(None) => self.bits(),
            None => low,
        }
    }

    /// An index below `len`; 0 when `len` is 0.
    pub fn index(&mut self, len: usize) -> usize {
        self.below(len as u64) as usize
    }

    /// One of `items`.
    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        items.get(self.index(items.len()))
    }

    /// Shuffles `items`; every order is equally likely.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            // Fisher and Yates, from the back: the index may be `last` itself, or not every order would be
            // possible.
            items.swap(last, self.index(last + 1));
        }
    }

    /// `count` different numbers below `end`, in any order; fewer when there are not so many.
    pub fn distinct(&mut self, count: usize, end: u64) -> Vec<u64> {
        // Floyd's sampling: as many draws as numbers, however few of the range they are.
        let count = (count as u64).min(end);
        let mut chosen = std::collections::BTreeSet::new();
        for top in end - count..end {
            let number = self.within(0, top);
            chosen.insert(if chosen.contains(&number) { top } else { number });
        }
        let mut chosen: Vec<u64> = chosen.into_iter().collect();
        // The set is in ascending order, which would favour small numbers in the first places.
        self.shuffle(&mut chosen);
        chosen
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_same_seed_makes_the_same_choices() {
        let rolls = |seed: u64| -> Vec<u64> {
            let mut dice = Dice::new(seed.into());
            (0..20).map(|_| dice.bits()).collect()
        };
        assert_eq!(rolls(1), rolls(1));
        assert_ne!(rolls(1), rolls(2));
        let seed = Seed::from(1);
        assert_ne!(seed.derive("a", 1), seed.derive("a", 2));
        assert_ne!(seed.derive("a", 1), seed.derive("b", 1));
    }

    #[test]
    fn debug_does_not_show_the_seed() {
        assert_eq!(format!("{:?}", Seed::from_bytes([0xaa; 32])), "Seed(secret)");
    }

    #[test]
    fn numbers_are_uniform() {
        let mut dice = Dice::new(7.into());
        let mut counts = [0u32; 8];
        (0..8000).for_each(|_| counts[dice.index(8)] += 1);
        assert!(counts.iter().all(|count| (900..1100).contains(count)), "{counts:?}");
    }

    proptest! {
        #[test]
        fn choices_stay_in_range(seed: u64, low: u64, high: u64, count in 0usize..40, end in 0u64..50) {
            let mut dice = Dice::new(seed.into());
            let number = dice.within(low, high);
            let within = if low <= high { (low..=high).contains(&number) } else { number == low };
            prop_assert!(within);
            prop_assert!(dice.below(end) < end.max(1));
            let distinct = dice.distinct(count, end);
            let set: std::collections::BTreeSet<_> = distinct.iter().copied().collect();
            prop_assert_eq!(set.len(), count.min(end as usize));
            prop_assert_eq!(set.len(), distinct.len());
            prop_assert!(set.iter().all(|n| *n < end));
        }
    }
}
