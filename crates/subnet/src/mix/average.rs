//! The mean of embeddings.
//!
//! Each vector counts by its direction and its weight, not by its length, so that no expert gets more influence by
//! larger numbers.
//!
//! Hazard: only vectors of one model share a space. The caller groups experts by model first.

use crate::mechanism::MAX_DIMENSIONS;

/// The mean direction of `vectors`, of length 1. Vectors without a direction (empty, zero, not finite), with other
/// dimensions than the heaviest, or without weight are left out; `None` when none is left, or the rest cancels out.
pub fn average(vectors: &[(&[f32], f64)]) -> Option<Vec<f32>> {
    let directions: Vec<(Vec<f64>, f64)> = vectors
        .iter()
        .filter(|(_, weight)| weight.is_finite() && *weight > 0.0)
        .filter_map(|(vector, weight)| Some((direction(vector.iter().map(|x| f64::from(*x)))?, *weight)))
        .collect();
    let (heaviest, _) = directions.iter().max_by(|a, b| a.1.total_cmp(&b.1))?;
    let dimensions = heaviest.len();
    let mut sum = vec![0.0; dimensions];
    let most = directions.iter().fold(0.0, |most: f64, (_, weight)| most.max(*weight));
    for (direction, weight) in directions.iter().filter(|(direction, _)| direction.len() == dimensions) {
        sum.iter_mut().zip(direction).for_each(|(sum, x)| *sum += x * (weight / most));
    }
    Some(direction(sum.into_iter())?.into_iter().map(|x| x as f32).collect())
}

/// The same direction with length 1; `None` for a vector that is zero or not finite.
fn direction(vector: impl ExactSizeIterator<Item = f64> + Clone) -> Option<Vec<f64>> {
    let length = vector.clone().map(|x| x * x).sum::<f64>().sqrt();
    let valid = (1..=MAX_DIMENSIONS).contains(&vector.len()) && length.is_finite() && length > 1e-12;
    valid.then(|| vector.map(|x| x / length).collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn directions_count_and_lengths_do_not() {
        let mean = average(&[(&[1.0, 0.0], 1.0), (&[0.0, 1000.0], 1.0)]).unwrap();
        assert!((mean[0] - mean[1]).abs() < 1e-6);
        let mean = average(&[(&[1.0, 0.0], 3.0), (&[0.0, 1.0], 1.0)]).unwrap();
        assert!((mean[0] / mean[1] - 3.0).abs() < 1e-5);
    }

    #[test]
    fn leaves_out_vectors_without_a_direction() {
        let good: &[f32] = &[0.0, 2.0];
        for bad in [&[0.0, 0.0][..], &[f32::NAN, 1.0], &[f32::INFINITY, 0.0], &[], &[1.0, 2.0, 3.0]] {
            assert_eq!(average(&[(bad, 1.0), (good, 2.0)]), Some(vec![0.0, 1.0]));
        }
        assert_eq!(average(&[(good, f64::NAN), (good, -1.0), (good, 0.0)]), None);
        assert_eq!(average(&[(&[1.0, 0.0], 1.0), (&[-1.0, 0.0], 1.0)]), None, "it cancels out");
        assert_eq!(average(&[]), None);
    }

    proptest! {
        #[test]
        fn a_mean_has_length_one_whatever_the_order(
            vectors in proptest::collection::vec((proptest::array::uniform4(-1e6f32..1e6), 0.01f64..1e3), 1..6)
        ) {
            let mut vectors: Vec<(&[f32], f64)> = vectors.iter().map(|(v, w)| (v.as_slice(), *w)).collect();
            let mean = average(&vectors);
            if let Some(mean) = &mean {
                let length: f32 = mean.iter().map(|x| x * x).sum();
                prop_assert!((length - 1.0).abs() < 1e-4);
            }
            vectors.reverse();
            let turned = average(&vectors);
            prop_assert_eq!(mean.is_some(), turned.is_some());
        }
    }
}
