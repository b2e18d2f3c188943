//! A score between 0 and 1, as a whole number of parts.
//!
//! Weights on the ledger are made from scores, and the same scores must make the same weights on every machine, so no
//! score is a float. A part is 1 / (2^32 - 1), so that 1 itself is a score.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A score: 0 is [`Score::ZERO`], 1 is [`Score::ONE`].
///
/// ```
/// use nervure_protocol::Score;
///
/// let third = Score::ratio(1, 3);
/// assert_eq!(third.to_string(), "0.3333");
/// assert_eq!(Score::ONE.shared(3), third);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Score(u32);

impl Score {
    /// The lowest score, 0.
    pub const ZERO: Self = Self(0);

    /// The highest score, 1.
    pub const ONE: Self = Self(u32::MAX);

    /// A score of so many parts.
    pub const fn from_parts(parts: u32) -> Self {
        Self(parts)
    }

    /// Its parts.
    pub const fn parts(self) -> u32 {
        self.0
    }

    /// `part` of `whole`, rounded down; 1 when it is more than that, 0 of nothing.
    pub fn ratio(part: u64, whole: u64) -> Self {
        if whole == 0 {
            return Self::ZERO;
        }
        let parts = u128::from(part) * u128::from(u32::MAX) / u128::from(whole);
        Self(u32::try_from(parts).unwrap_or(u32::MAX))
    }

    /// The product, rounded down: 1 changes nothing.
    pub fn times(self, other: Self) -> Self {
        Self((u64::from(self.0) * u64::from(other.0) / u64::from(u32::MAX)) as u32)
    }

    /// An equal share among `sharers`; all of it for none or one.
    pub fn shared(self, sharers: usize) -> Self {
        let sharers = u32::try_from(sharers.max(1)).unwrap_or(u32::MAX);
        Self(self.0 / sharers)
    }

    /// The mean, rounded down; 0 of none.
    pub fn mean(scores: impl IntoIterator<Item = Self>) -> Self {
        let (mut sum, mut count) = (0u64, 0u64);
        for score in scores {
            sum = sum.saturating_add(u64::from(score.0));
            count += 1;
        }
        Self(sum.checked_div(count).unwrap_or(0) as u32)
    }

    /// The nearest multiple of 1 / `steps`: what is published of a score, where its exact value would tell more than its
    /// size. 0 stays 0 and 1 stays 1; a score that is neither may become either.
    pub fn rounded(self, steps: u32) -> Self {
        let (most, steps) = (u64::from(u32::MAX), u64::from(steps.max(1)));
        Self::ratio((u64::from(self.0) * steps + most / 2) / most, steps)
    }

    /// The difference, or 0.
    pub const fn less(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl fmt::Display for Score {
    /// With four decimals: `0.8333`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let most = u64::from(u32::MAX);
        let shown = (u64::from(self.0) * 10_000 + most / 2) / most;
        f.pad(&format!("{}.{:04}", shown / 10_000, shown % 10_000))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ends_and_display() {
        assert_eq!(Score::ratio(7, 7), Score::ONE);
        assert_eq!(Score::ratio(9, 7), Score::ONE);
        assert_eq!(Score::ratio(9, 0), Score::ZERO);
        assert_eq!(Score::mean([]), Score::ZERO);
        assert_eq!(Score::ONE.shared(0), Score::ONE);
        assert_eq!(Score::ONE.to_string(), "1.0000");
        assert_eq!(Score::ratio(5, 6).to_string(), "0.8333");
        assert_eq!(Score::ratio(1, 2).to_string(), "0.5000");
    }

    #[test]
    fn a_rounded_score_is_one_of_a_few() {
        assert_eq!((Score::ZERO.rounded(32), Score::ONE.rounded(32)), (Score::ZERO, Score::ONE));
        assert_eq!(Score::ratio(49, 100).rounded(32), Score::ratio(16, 32));
        assert_eq!(Score::ratio(1, 100).rounded(32), Score::ZERO);
        assert_eq!(Score::ratio(1, 3).rounded(0), Score::ZERO);
    }

    proptest! {
        #[test]
        fn products_and_means_stay_between(a: u32, b: u32) {
            let (a, b) = (Score(a), Score(b));
            prop_assert!(a.times(b) <= a.min(b));
            prop_assert_eq!(a.times(Score::ONE), a);
            let mean = Score::mean([a, b]);
            prop_assert!(mean >= a.min(b) && mean <= a.max(b));
        }
    }
}
