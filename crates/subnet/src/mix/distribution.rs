//! Distributions of the next byte, and the weighted mean of several.
//!
//! The mean, not a product: an expert that gives a byte a probability of 0 can be outvoted, and a mean of distributions
//! is a distribution.

/// How far from 1 a claimed sum may be, because of rounding in a model.
const SUM_TOLERANCE: f64 = 1.0 / 256.0;

/// Probabilities of the 256 bytes. Invariant: none negative, their sum 1 but for rounding.
#[derive(Clone, Debug, PartialEq)]
pub struct ByteDistribution(Box<[f64; 256]>);

impl ByteDistribution {
    /// The distribution that an expert claims, scaled to sum to 1; `None` when it is not a valid distribution.
    pub fn read(claimed: &[f32]) -> Option<Self> {
        // A little above 1 is rounding in the model, and NaN is in no range. The scaling below removes the
        // excess.
        let valid = |p: &f32| (0.0..=1.01).contains(p);
        let sum: f64 = claimed.iter().map(|p| f64::from(*p)).sum();
        if claimed.len() != 256 || !claimed.iter().all(valid) || (sum - 1.0).abs() > SUM_TOLERANCE {
            return None;
        }
        let mut probabilities = Box::new([0.0; 256]);
        probabilities.iter_mut().zip(claimed).for_each(|(p, claimed)| *p = f64::from(*claimed) / sum);
        Some(Self(probabilities))
    }

    /// The probability of a byte.
    pub fn of(&self, byte: u8) -> f64 {
        self.0[usize::from(byte)]
    }

    /// All of them, by byte.
    pub fn probabilities(&self) -> &[f64; 256] {
        &self.0
    }
}

/// The mean of `distributions` by their weights. Those without a finite weight above 0 are left out; `None` when none
/// is left.
pub fn mixture<'a>(
    distributions: impl IntoIterator<Item = (&'a ByteDistribution, f64)>,
) -> Option<ByteDistribution> {
    let (mut mixed, mut weights) = (Box::new([0.0; 256]), 0.0);
    for (distribution, weight) in distributions {
        if weight.is_finite() && weight > 0.0 {
            mixed.iter_mut().zip(distribution.0.iter()).for_each(|(sum, p)| *sum += p * weight);
            weights += weight;
        }
    }
    if !(f64::MIN_POSITIVE..f64::INFINITY).contains(&weights) {
        return None;
    }
    mixed.iter_mut().for_each(|p| *p /= weights);
    Some(ByteDistribution(mixed))
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// `share` on `byte`, the rest spread.
    pub(in crate::mix) fn peaked(byte: u8, share: f32) -> ByteDistribution {
        let mut masses = [(1.0 - share) / 255.0; 256];
        masses[usize::from(byte)] = share;
        ByteDistribution::read(&masses).unwrap()
    }

    #[test]
    fn refuses_invalid_distributions() {
        let mut negative = [2.0 / 256.0; 256];
        negative[..64].fill(-2.0 / 256.0);
        for bad in [
            &[0.0; 256][..],
            &[1.0; 256],
            &[f32::NAN; 256],
            &[f32::INFINITY; 256],
            &negative,
            &[1.0 / 255.0; 255],
        ] {
            assert_eq!(ByteDistribution::read(bad), None);
        }
        assert!(ByteDistribution::read(&[1.0 / 256.0; 256]).is_some());
    }

    #[test]
    fn without_weight_there_is_no_mixture() {
        let one = peaked(1, 0.5);
        assert_eq!(mixture([]), None);
        assert_eq!(mixture([(&one, 0.0), (&one, f64::NAN), (&one, -1.0), (&one, f64::INFINITY)]), None);
        assert_eq!(mixture([(&one, f64::MAX), (&one, f64::MAX)]), None, "too heavy to weigh");
        assert!(mixture([(&one, 2.0)]).is_some_and(|mixed| (mixed.of(1) - 0.5).abs() < 1e-6));
    }

    proptest! {
        #[test]
        fn a_mixture_is_a_distribution_between_its_parts(
            parts in proptest::collection::vec((any::<u8>(), 0.0f32..1.0, 1e-6f64..1e6), 1..6)
        ) {
            let parts: Vec<_> = parts.into_iter().map(|(byte, share, weight)| (peaked(byte, share), weight)).collect();
            let mixed = mixture(parts.iter().map(|(part, weight)| (part, *weight))).unwrap();
            prop_assert!((mixed.probabilities().iter().sum::<f64>() - 1.0).abs() < 1e-9);
            for byte in 0..=255 {
                let of = parts.iter().map(|(part, _)| part.of(byte));
                let (least, most) = (of.clone().fold(1.0, f64::min), of.fold(0.0, f64::max));
                prop_assert!((least - 1e-12..=most + 1e-12).contains(&mixed.of(byte)));
            }
            let turned = mixture(parts.iter().rev().map(|(part, weight)| (part, *weight))).unwrap();
            prop_assert!((0..=255).all(|byte| (turned.of(byte) - mixed.of(byte)).abs() < 1e-12));
        }
    }
}
