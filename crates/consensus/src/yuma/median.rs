//! The consensus weight of every uid: a stake-weighted median.
//!
//! Only rows with stake count, and an absent cell counts as a weight of zero. In ascending order of
//! weight, the consensus is the first weight at which the cumulative stake *exceeds* the minority
//! `1 - kappa`; at equality the next weight is taken, without interpolation. At least a share kappa of
//! the stake therefore gives the consensus weight or more, and a smaller coalition cannot raise it.
//! When rounding (or kappa = 0) leaves the minority at or above all stake, the largest weight is taken.
//!
//! This is `weighted_median_col` of the reference chain, whose vectors test it.

use super::sparse::Matrix;
use crate::fixed::{I32F32, normalize};

/// A weight above zero, and the stake of the row that gives it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct WeightedValue {
    weight: I32F32,
    stake: I32F32,
}

/// Up to this many values are sorted; more are partitioned.
const MAX_SORTED_VALUES: usize = 8;

/// The consensus weight of every column of `weights` by the stake of its rows.
pub(crate) fn consensus(stake: &[I32F32], weights: &Matrix, kappa: I32F32) -> Vec<I32F32> {
    let mut stake = stake.to_vec();
    normalize(&mut stake);
    let total: I32F32 = stake.iter().copied().sum();
    // `total` need not be exactly one: each share is truncated. The minority is measured against what is
    // there.
    let minority = total - kappa;
    // Rows without stake are left out: they would not move the cumulative stake, and most rows have none.
    let voters = stake.iter().filter(|stake| **stake > I32F32::ZERO).count();

    let (starts, mut values) = values_by_column(&stake, weights);
    let column = |bounds: &[usize]| {
        let values = &mut values[bounds[0]..bounds[1]];
        let positive: I32F32 = values.iter().map(|value| value.stake).sum();
        // The rows without a weight here stand at the front of the order, with a weight of zero. If
        // their stake already exceeds the minority, the consensus is zero.
        if values.len() < voters && total - positive > minority {
            return I32F32::ZERO;
        }
        // The stake of the rows without a weight is counted first, because zero is the smallest weight.
        first_above(values, total - positive, minority)
    };
    starts.windows(2).map(column).collect()
}

/// All weights above zero of rows with stake, column after column, and where each column starts.
fn values_by_column(stake: &[I32F32], weights: &Matrix) -> (Vec<usize>, Vec<WeightedValue>) {
    let voting = || (0..weights.rows()).filter(|row| stake[*row] > I32F32::ZERO);
    // A counting sort by column: count, accumulate, place.
    let mut starts = vec![0; weights.columns() + 1];
    for row in voting() {
        for (column, _) in weights.iter_row(row).filter(|(_, weight)| *weight > I32F32::ZERO) {
            starts[column + 1] += 1;
        }
    }
    for column in 1..starts.len() {
        starts[column] += starts[column - 1];
    }
    let mut values = vec![WeightedValue::default(); starts.last().copied().unwrap_or(0)];
    // `starts` stays as the bounds of the columns; `next` moves as the cells are placed.
    let mut next = starts.clone();
    for row in voting() {
        for (column, weight) in weights.iter_row(row).filter(|(_, weight)| *weight > I32F32::ZERO) {
            values[next[column]] = WeightedValue { weight, stake: stake[row] };
            next[column] += 1;
        }
    }
    (starts, values)
}

/// The first weight in ascending order at which `below` and the stake up to it exceed `minority`; the
/// largest weight when none does, zero when there is no value.
///
/// A quickselect by stake: values are partitioned around a pivot, and the search continues in the part
/// in which the cumulative stake passes the minority.
fn first_above(mut values: &mut [WeightedValue], mut below: I32F32, minority: I32F32) -> I32F32 {
    while values.len() > MAX_SORTED_VALUES {
        let pivot = median_of_three(values);
        let (smaller, smaller_stake) = count(values, |weight| weight < pivot);
        // Strictly above: at equality the answer is the next larger weight, which is not in this part.
        if smaller > 0 && below + smaller_stake > minority {
            values = partition(values, |weight| weight < pivot);
            continue;
        }
        // Equal weights are taken together: validators that copy one weight would make the partition
        // quadratic.
        let (equal, equal_stake) = count(values, |weight| weight == pivot);
        below += smaller_stake + equal_stake;
        // Nothing is larger than the pivot, or the pivot itself passes the minority.
        if smaller + equal == values.len() || below > minority {
            return pivot;
        }
        values = partition(values, |weight| weight > pivot);
    }
    values.sort_unstable_by_key(|value| value.weight);
    for value in values.iter() {
        below += value.stake;
        if below > minority {
            return value.weight;
        }
    }
    values.last().map_or(I32F32::ZERO, |value| value.weight)
}

/// The median of the first, the middle and the last weight.
fn median_of_three(values: &[WeightedValue]) -> I32F32 {
    let at = |index: usize| values[index].weight;
    let (a, b, c) = (at(0), at(values.len() / 2), at(values.len() - 1));
    // Any element works as a pivot. The median of three avoids the worst case of sorted columns.
    a.max(b).min(a.min(b).max(c))
}

/// The number of values whose weight passes, and their stake. Stakes are shares that sum to at most
/// one, so plain addition cannot overflow.
fn count(values: &[WeightedValue], passes: impl Fn(I32F32) -> bool) -> (usize, I32F32) {
    let (mut number, mut bits) = (0, 0);
    for value in values {
        let passes = passes(value.weight);
        number += usize::from(passes);
        // -1 is all ones and 0 is none: adds the stake or nothing, without a branch.
        bits += value.stake.to_bits() & -i64::from(passes);
    }
    (number, I32F32::from_bits(bits))
}

/// Moves the values whose weight passes to the front, without a branch that could be mispredicted, and
/// returns them. Overwrites the others.
fn partition(values: &mut [WeightedValue], passes: impl Fn(I32F32) -> bool) -> &mut [WeightedValue] {
    let mut kept = 0;
    for at in 0..values.len() {
        let value = values[at];
        // Written in any case; the next value overwrites it unless `kept` moved.
        values[kept] = value;
        kept += usize::from(passes(value.weight));
    }
    &mut values[..kept]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The definition, without optimisation.
    fn by_sorting(mut values: Vec<WeightedValue>, mut below: I32F32, minority: I32F32) -> I32F32 {
        values.sort();
        let mut largest = I32F32::ZERO;
        for value in values {
            (below, largest) = (below + value.stake, value.weight);
            if below > minority {
                break;
            }
        }
        largest
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]
        #[test]
        fn selection_agrees_with_sorting(
            values in prop::collection::vec((0i64..40, 0i64..100), 0..90), below in 0i64..500, minority in -9i64..5_000,
        ) {
            let number = I32F32::from_bits;
            let value = |(weight, stake)| WeightedValue { weight: number(weight), stake: number(stake) };
            let mut values: Vec<WeightedValue> = values.into_iter().map(value).collect();
            let want = by_sorting(values.clone(), number(below), number(minority));
            prop_assert_eq!(first_above(&mut values, number(below), number(minority)), want);
        }
    }
}
