//! A digest of a miner's replies, to compare them with another's.
//!
//! Replies can be megabytes; with 64 miners in a task there are two thousand pairs. So each miner's replies are read
//! once, into few enough numbers that comparing all pairs costs little.

/// Maximum number of numbers in a fingerprint.
pub const MAX_FINGERPRINT: usize = 1 << 14;

/// Numbers that represent the replies: one part per item that was asked, `None` for a missing answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fingerprint(Vec<Option<Box<[i64]>>>);

impl Fingerprint {
    /// A fingerprint of these parts; of no parts, when they have more than [`MAX_FINGERPRINT`] numbers together.
    pub fn new(parts: impl IntoIterator<Item = Option<Box<[i64]>>>) -> Self {
        let parts: Vec<_> = parts.into_iter().collect();
        let numbers: usize = parts.iter().flatten().map(|part| part.len()).sum();
        if numbers > MAX_FINGERPRINT { Self::default() } else { Self(parts) }
    }

    /// The number of items that were asked.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether no item was asked.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How far two fingerprints are apart where both answered: the mean difference of a number, in 2^-16. It orders pairs
    /// that are alike; whether they are is the mechanism's decision.
    pub fn distance(&self, other: &Self) -> u128 {
        let apart = |(left, right): (&i64, &i64)| u128::from(left.abs_diff(*right));
        let (mut sum, mut numbers) = (0u128, 0u128);
        for (left, right) in self.common(other) {
            sum += left.iter().zip(right).map(apart).sum::<u128>();
            numbers += left.len().min(right.len()) as u128;
        }
        // At most 2^14 numbers of 64 bits: the sum has at most 78 bits.
        (sum << 16) / numbers.max(1)
    }

    /// The parts that both have, side by side.
    pub fn common<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = (&'a [i64], &'a [i64])> {
        let both = self.0.iter().zip(&other.0);
        both.filter_map(|(left, right)| Some((left.as_deref()?, right.as_deref()?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(numbers: usize) -> Option<Box<[i64]>> {
        Some(vec![7; numbers].into())
    }

    #[test]
    fn only_what_both_answered_is_compared() {
        let (left, right) =
            (Fingerprint::new([part(1), None, part(2)]), Fingerprint::new([part(1), part(1)]));
        assert_eq!(left.common(&right).collect::<Vec<_>>(), [(&[7i64][..], &[7i64][..])]);
        assert_eq!((left.len(), right.is_empty()), (3, false));
    }

    #[test]
    fn the_distance_is_the_mean_difference_of_what_both_answered() {
        let print = |parts: &[&[i64]]| Fingerprint::new(parts.iter().map(|part| Some(Box::from(*part))));
        let (left, right) = (print(&[&[1, 5], &[0]]), print(&[&[4, 5], &[-3]]));
        assert_eq!((left.distance(&right), right.distance(&left)), (2 << 16, 2 << 16));
        assert_eq!((left.distance(&left), left.distance(&Fingerprint::default())), (0, 0));
        let far = print(&[&[i64::MIN; 2]]).distance(&print(&[&[i64::MAX; 2]]));
        assert_eq!(far, u128::from(u64::MAX) << 16);
    }

    #[test]
    fn a_fingerprint_is_bounded() {
        assert_eq!(Fingerprint::new([part(MAX_FINGERPRINT)]).len(), 1);
        assert!(Fingerprint::new([part(MAX_FINGERPRINT), part(1)]).is_empty());
    }
}
