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
fn first_above(votes: &mut [Vote], below: I32F32, minority: I32F32) -> I32F32 {
    votes.sort_unstable();
    let mut sum = below;
    for (weight, stake) in votes.iter() {
        sum += *stake;
        if sum > minority {
            return *weight;
        }
    }
    votes.last().map_or(I32F32::ZERO, |vote| vote.0)
}
