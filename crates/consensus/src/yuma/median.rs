//! The consensus weight of every uid: a stake-weighted median.
//!
//! Only rows with stake vote, and an absent cell votes for zero. Sorted by weight, the consensus is the
//! first vote at which the stake so far *exceeds* the minority `1 - kappa`; equality moves on to the
//! next one, and nothing is interpolated. So at least a share kappa of the stake gives the consensus
//! weight or more, and a smaller coalition cannot lift it. When rounding (or kappa = 0) leaves the
//! minority at or above all stake, the largest vote is taken.

use super::sparse::Matrix;
use crate::fixed::{I32F32, normalize};

/// A vote for a weight above zero: the weight and the stake behind it.
type Vote = (I32F32, I32F32);

/// How many votes are sorted at once.
const SORTED_UP_TO: usize = 8;

/// The consensus weight of every column of `weights` by the stake of its rows.
pub(crate) fn consensus(stake: &[I32F32], weights: &Matrix, kappa: I32F32) -> Vec<I32F32> {
    let mut stake = stake.to_vec();
    normalize(&mut stake);
    let total: I32F32 = stake.iter().copied().sum();
    let minority = total - kappa;
    let voters = stake.iter().filter(|stake| **stake > I32F32::ZERO).count();

    let (starts, mut votes) = votes_by_column(&stake, weights);
    let column = |bounds: &[usize]| {
        let votes = &mut votes[bounds[0]..bounds[1]];
        let positive: I32F32 = votes.iter().map(|vote| vote.1).sum();
        if votes.len() < voters && total - positive > minority {
            return I32F32::ZERO;
        }
        first_above(votes, total - positive, minority)
    };
    starts.windows(2).map(column).collect()
}

/// All votes above zero, column after column, and where each column starts.
fn votes_by_column(stake: &[I32F32], weights: &Matrix) -> (Vec<usize>, Vec<Vote>) {
    let voting = || (0..weights.rows()).filter(|row| stake[*row] > I32F32::ZERO);
    let mut starts = vec![0; weights.columns() + 1];
    for row in voting() {
        for (column, _) in weights.iter_row(row).filter(|(_, weight)| *weight > I32F32::ZERO) {
            starts[column + 1] += 1;
        }
    }
    for column in 1..starts.len() {
        starts[column] += starts[column - 1];
    }
    let mut votes = vec![Vote::default(); starts.last().copied().unwrap_or(0)];
    let mut next = starts.clone();
    for row in voting() {
        for (column, weight) in weights.iter_row(row).filter(|(_, weight)| *weight > I32F32::ZERO) {
            votes[next[column]] = (weight, stake[row]);
            next[column] += 1;
        }
    }
    (starts, votes)
}

/// The first weight in ascending order at which `below` and the stake up to it exceed `minority`; the
/// largest weight when none does, zero when there is no vote.
///
/// Sorts only as much as it needs: votes are split around a pivot, and the search goes on in the part
/// where the sum passes the minority.
fn first_above(mut votes: &mut [Vote], mut below: I32F32, minority: I32F32) -> I32F32 {
    while votes.len() > SORTED_UP_TO {
        let pivot = middle(votes);
        let (smaller, smaller_stake) = tally(votes, |weight| weight < pivot);
        if smaller > 0 && below + smaller_stake > minority {
            votes = gather(votes, |weight| weight < pivot);
            continue;
        }
        let (equal, equal_stake) = tally(votes, |weight| weight == pivot);
        below += smaller_stake + equal_stake;
        if smaller + equal == votes.len() || below > minority {
            return pivot;
        }
        votes = gather(votes, |weight| weight > pivot);
    }
    votes.sort_unstable_by_key(|vote| vote.0);
    for (weight, stake) in votes.iter() {
        below += *stake;
        if below > minority {
            return *weight;
        }
    }
    votes.last().map_or(I32F32::ZERO, |vote| vote.0)
}

/// The middle one of the first, the middle and the last weight.
fn middle(votes: &[Vote]) -> I32F32 {
    let (a, b, c) = (votes[0].0, votes[votes.len() / 2].0, votes[votes.len() - 1].0);
    a.max(b).min(a.min(b).max(c))
}

/// How many votes have a weight that passes, and the stake behind them. Stakes here are shares of at
/// most one, so that plain addition cannot overflow.
fn tally(votes: &[Vote], passes: impl Fn(I32F32) -> bool) -> (usize, I32F32) {
    let (mut count, mut bits) = (0, 0);
    for (weight, stake) in votes {
        let passes = passes(*weight);
        count += usize::from(passes);
        bits += stake.to_bits() & -i64::from(passes);
    }
    (count, I32F32::from_bits(bits))
}

/// Moves the votes whose weight passes to the front, without a branch that could be mispredicted, and
/// returns them.
fn gather(votes: &mut [Vote], passes: impl Fn(I32F32) -> bool) -> &mut [Vote] {
    let mut kept = 0;
    for at in 0..votes.len() {
        let vote = votes[at];
        votes[kept] = vote;
        kept += usize::from(passes(vote.0));
    }
    &mut votes[..kept]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The definition, word by word.
    fn by_sorting(mut votes: Vec<Vote>, mut below: I32F32, minority: I32F32) -> I32F32 {
        votes.sort();
        let mut largest = I32F32::ZERO;
        for (weight, stake) in votes {
            (below, largest) = (below + stake, weight);
            if below > minority {
                break;
            }
        }
        largest
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]
        #[test]
        fn selecting_finds_what_sorting_finds(
            votes in prop::collection::vec((0i64..40, 0i64..100), 0..90), below in 0i64..500, minority in -9i64..5_000,
        ) {
            let number = I32F32::from_bits;
            let votes: Vec<Vote> = votes.into_iter().map(|(weight, stake)| (number(weight), number(stake))).collect();
            let want = by_sorting(votes.clone(), number(below), number(minority));
            let mut votes = votes;
            prop_assert_eq!(first_above(&mut votes, number(below), number(minority)), want);
        }
    }
}
