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
    fn a_fingerprint_is_bounded() {
        assert_eq!(Fingerprint::new([part(MAX_FINGERPRINT)]).len(), 1);
        assert!(Fingerprint::new([part(MAX_FINGERPRINT), part(1)]).is_empty());
    }
}
