//! Peer prediction: dividends for what a validator's weights said before it was public.
//!
//! A validator that copies the last public weights earns almost what an honest one earns while miners change slowly.
//! So a part of the dividends ([`Params::peer_prediction`](super::Params::peer_prediction)) follows each validator's
//! *skill*: how much of what its peers say now its own row explains, beyond what can be computed from the
//! results of the last two epochs.
//!
//! Over the uids that have or had a consensus weight, let `w` be the validator's row, `x` the consensus of the other
//! validators, and let `P` be what is public: which uids had a consensus weight and which had none, and the
//! consensus and the mean weights of the last two epochs. Both `w` and `x` are reduced to their residuals after a
//! linear regression on `P`. The skill is the squared correlation of the two residuals (a partial coefficient of
//! determination), 0 if they are not positively correlated, less what chance alone exceeds once in twenty times:
//! `4 / degrees of freedom`, the 95 % quantile of chi-squared with one degree. A copy of public weights, their trend
//! continued, and any other linear combination of them have no residual.
//!
//! The part is split by dividends times skill, where a skill counts up to the median of all (by dividends): who measures
//! as well as the others is paid in full, and who knows what all of them know together is not paid more. Where validators explain less than a tenth of the movement, it shrinks
//! in proportion: what hardly moves says little about who measured it. A subnet with few miners has too few degrees of
//! freedom, and its dividends stay as they are.
//!
//! Rewarding agreement with peers beyond a public prior is the idea of the peer truth serum (G. Radanovic, B.
//! Faltings and R. Jurca, "Incentives for effort in crowdsourcing using the peer truth serum", 2016).
//!
//! # What a hostile validator can do
//! * *Guess*: random weights have a skill of 0 in 19 of 20 epochs, and cost dividends in all of them.
//! * *Move its peers' consensus*: it is a median, and leaves out the validator's own row.
//! * *Read others' fresh results*: who is told them before they are revealed, or can compute them from scores that are
//!   published before all weights are committed, earns as those who tell, and not more. This finds copies of what is
//!   public when the epoch begins.
//! * *Be the majority*: where more than half of the dividends goes to validators that copy, the median skill is 0 and
//!   nothing is split by it.

use serde::{Deserialize, Serialize};

use super::sparse::Matrix;
use crate::fixed::I32F32;

/// Least degrees of freedom that a correlation is taken from.
const MIN_FREEDOM: usize = 8;

/// The 95 % quantile of chi-squared with one degree of freedom, rounded up.
const CHANCE: u64 = 4;

/// The mean skill from which the part is paid in full: a tenth.
const FULL_SKILL: I32F32 = I32F32::from_bits(429_496_730);

/// Mean square, in 2^-64, below which what is left of a public vector is rounding.
const ROUNDING: i128 = 1 << 8;

/// What an epoch left in public about a uid, in 2^-32.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prior {
    /// Its consensus weight.
    #[serde(rename = "c")]
    pub consensus: u32,
    /// The mean of all weights for it, by stake.
    #[serde(rename = "m")]
    pub mean: u32,
}

/// What peer prediction reads.
pub(crate) struct Statements<'a> {
    /// The share of voting stake of each uid.
    pub active_stake: &'a [I32F32],
    /// The normalised weights, before clipping.
    pub weights: &'a Matrix,
    /// The consensus of this epoch.
    pub consensus: &'a [I32F32],
    /// What the last two epochs left about each uid, the last one first.
    pub priors: &'a [[Prior; 2]],
    /// The majority, as a share of stake.
    pub kappa: I32F32,
}

impl Statements<'_> {
    /// What this epoch leaves about each uid.
    pub(crate) fn prior(&self) -> Vec<Prior> {
        let means = self.weights.weighted_column_sums(self.active_stake);
        let one = |(consensus, mean): (&I32F32, I32F32)| Prior {
            consensus: fraction(*consensus),
            mean: fraction(mean),
        };
        self.consensus.iter().zip(means).map(one).collect()
    }

    /// The skill of each uid, of one.
    pub(crate) fn skills(&self) -> Vec<I32F32> {
        let mut skills = vec![I32F32::ZERO; self.active_stake.len()];
        let columns = self.columns();
        let public = self.public(&columns);
        let freedom = columns.len().saturating_sub(public.len());
        if freedom < MIN_FREEDOM {
            return skills;
        }
        let chance = I32F32::from_bits(((CHANCE << I32F32::FRACTION_BITS) / freedom as u64) as i64);
        let peers = Peers::new(self, &columns);
        for (row, skill) in skills.iter_mut().enumerate().filter(|(row, _)| self.votes(*row)) {
            let (own, others) =
                (residual(self.own(row, &columns), &public), residual(peers.without(row), &public));
            let explained = explained(&own, &others);
            if explained > chance {
                *skill = explained - chance;
            }
        }
        skills
    }

    fn votes(&self, row: usize) -> bool {
        self.active_stake[row] > I32F32::ZERO
    }

    /// The uids with a consensus weight now or in the last epoch: a minority cannot add any.
    fn columns(&self) -> Vec<usize> {
        let counts = |uid: &usize| self.consensus[*uid] > I32F32::ZERO || self.priors[*uid][0].consensus > 0;
        (0..self.consensus.len()).filter(counts).collect()
    }

    /// The weights of a row for `columns`.
    fn own(&self, row: usize, columns: &[usize]) -> Vec<i64> {
        let mut weights = vec![0; self.consensus.len()];
        self.weights.iter_row(row).for_each(|(uid, weight)| weights[uid] = weight.to_bits());
        columns.iter().map(|column| weights[*column]).collect()
    }

    /// What was public, over `columns`, as orthogonal vectors.
    fn public(&self, columns: &[usize]) -> Vec<Direction> {
        let of =
            |value: &dyn Fn([Prior; 2]) -> i64| columns.iter().map(|uid| value(self.priors[*uid])).collect();
        let one_if = |is: bool| if is { I32F32::ONE.to_bits() } else { 0 };
        let vectors: [Vec<i64>; 6] = [
            of(&|[last, _]| one_if(last.consensus > 0)),
            // That a newcomer gets some weight is no news, which of them gets how much is.
            of(&|[last, _]| one_if(last.consensus == 0)),
            of(&|[last, _]| last.consensus.into()),
            of(&|[last, _]| last.mean.into()),
            of(&|[_, before]| before.consensus.into()),
            of(&|[_, before]| before.mean.into()),
        ];
        let mut orthogonal: Vec<Direction> = Vec::with_capacity(vectors.len());
        for vector in vectors {
            let values = residual(vector, &orthogonal);
            let square = dot(&values, &values);
            if square >= ROUNDING * values.len() as i128 {
                orthogonal.push(Direction { values, square });
            }
        }
        orthogonal
    }
}

/// The dividends, of which `part` is split by skill. Their sum stays, but for rounding down.
pub(crate) fn by_skill(dividends: &mut [I32F32], skills: &[I32F32], part: I32F32) {
    let most = median(dividends, skills);
    let skills: Vec<I32F32> = skills.iter().map(|skill| (*skill).min(most)).collect();
    let weighted: Vec<I32F32> = dividends.iter().zip(&skills).map(|(share, skill)| *share * *skill).collect();
    let mean: I32F32 = weighted.iter().copied().sum();
    if mean == I32F32::ZERO {
        return;
    }
    let part = if mean < FULL_SKILL { part * (mean / FULL_SKILL) } else { part };
    let mut pot = I32F32::ZERO;
    for share in dividends.iter_mut() {
        let given = *share * part;
        *share = *share - given;
        pot += given;
    }
    for (share, weighted) in dividends.iter_mut().zip(weighted) {
        *share += pot * (weighted / mean);
    }
}

/// The median of the skills, by dividends.
fn median(dividends: &[I32F32], skills: &[I32F32]) -> I32F32 {
    let mut order: Vec<(I32F32, I32F32)> = skills.iter().copied().zip(dividends.iter().copied()).collect();
    order.sort_unstable();
    let all: I32F32 = dividends.iter().copied().sum();
    let mut below = I32F32::ZERO;
    let passes = |(_, share): &(I32F32, I32F32)| {
        below += *share;
        below + below >= all
    };
    order.into_iter().find(passes).map_or(I32F32::ZERO, |(skill, _)| skill)
}

/// A vector of what was public, orthogonal to the others.
struct Direction {
    values: Vec<i64>,
    /// Its product with itself.
    square: i128,
}

/// The weights above zero for a uid.
#[derive(Clone, Default)]
struct Column {
    /// The weights and the rows that give them, ascending.
    cells: Vec<(I32F32, usize)>,
    /// The stake of the cells up to each, itself included. Shares of stake sum to at most one: no sum saturates, so that a
    /// row can be subtracted again.
    up_to: Vec<I32F32>,
}

/// The consensus of a validator's peers, by validator.
struct Peers<'a> {
    columns: Vec<Column>,
    /// Where each voting row is among the cells of each column, [`ABSENT`] where it has none; empty for other rows.
    places: Vec<Vec<usize>>,
    stakes: &'a [I32F32],
    total: I32F32,
    kappa: I32F32,
}

/// Behind the cells of any column.
const ABSENT: usize = usize::MAX;

impl<'a> Peers<'a> {
    fn new(said: &Statements<'a>, uids: &[usize]) -> Self {
        let mut index = vec![None; said.consensus.len()];
        uids.iter().enumerate().for_each(|(at, uid)| index[*uid] = Some(at));
        let mut columns = vec![Column::default(); uids.len()];
        let mut places = vec![Vec::new(); said.weights.rows()];
        for row in (0..said.weights.rows()).filter(|row| said.votes(*row)) {
            places[row] = vec![ABSENT; uids.len()];
            for (uid, weight) in said.weights.iter_row(row).filter(|(_, weight)| *weight > I32F32::ZERO) {
                if let Some(at) = index[uid] {
                    columns[at].cells.push((weight, row));
                }
            }
        }
        for (at, column) in columns.iter_mut().enumerate() {
            column.cells.sort_unstable();
            let mut below = I32F32::ZERO;
            for (place, (_, row)) in column.cells.iter().enumerate() {
                below += said.active_stake[*row];
                column.up_to.push(below);
                places[*row][at] = place;
            }
        }
        let total = said.active_stake.iter().copied().sum();
        Self { columns, places, stakes: said.active_stake, total, kappa: said.kappa }
    }

    /// The consensus weights by the stake of all rows but `without`: the rule of `median`, column by column.
    fn without(&self, without: usize) -> Vec<i64> {
        let stake = self.stakes[without];
        let total = self.total - stake;
        let minority = total - total * self.kappa;
        let median = |(Column { cells, up_to }, place): (&Column, &usize)| {
            let all = up_to.last().copied().unwrap_or_default();
            let others = if *place == ABSENT { all } else { all - stake };
            let below = total - others;
            if below > minority {
                return 0;
            }
            // From its own cell on, the row is part of the sums. No search ends at that cell: its sum without the row is that
            // of the cell before it.
            let (before, from) = up_to.split_at((*place).min(up_to.len()));
            let mut first = before.partition_point(|up_to| below + *up_to <= minority);
            if first == before.len() {
                first += from.partition_point(|up_to| below + (*up_to - stake) <= minority);
            }
            cells.get(first).map_or(0, |(weight, _)| weight.to_bits())
        };
        self.columns.iter().zip(&self.places[without]).map(median).collect()
    }
}

/// What is left of `vector` after a regression on the orthogonal vectors of `public`.
fn residual(mut vector: Vec<i64>, public: &[Direction]) -> Vec<i64> {
    for Direction { values, square } in public {
        // At most 2^16 columns of values below 2^33: a dot product has at most 82 bits, shifted 114.
        let factor = (dot(&vector, values) << I32F32::FRACTION_BITS) / (*square).max(1);
        match i64::try_from(factor) {
            // A product of two words is one instruction, one of 128 bits is three.
            Ok(factor) => subtract(&mut vector, values, |base| i128::from(factor) * i128::from(base)),
            Err(_) => subtract(&mut vector, values, |base| factor * i128::from(base)),
        }
    }
    vector
}

/// Subtracts from each value what the regression makes of its base, which `scaled` returns in 2^-64.
fn subtract(vector: &mut [i64], bases: &[i64], scaled: impl Fn(i64) -> i128) {
    for (value, base) in vector.iter_mut().zip(bases) {
        let part = scaled(*base) >> I32F32::FRACTION_BITS;
        *value = value.saturating_sub(i64::try_from(part).unwrap_or(0));
    }
}

/// The squared correlation of two residuals; 0 if it is not positive.
fn explained(own: &[i64], others: &[i64]) -> I32F32 {
    let (both, own, others) = (dot(own, others), dot(own, own), dot(others, others));
    if both <= 0 || own == 0 || others == 0 {
        return I32F32::ZERO;
    }
    // The slopes of the two regressions: their product is the squared correlation, and fits where the square of
    // `both` would not.
    let slope = |square: i128| (both << I32F32::FRACTION_BITS) / square;
    let squared = slope(own).saturating_mul(slope(others)) >> I32F32::FRACTION_BITS;
    I32F32::from_bits(i64::try_from(squared).unwrap_or(i64::MAX)).min(I32F32::ONE)
}

fn dot(left: &[i64], right: &[i64]) -> i128 {
    left.iter().zip(right).map(|(a, b)| i128::from(*a) * i128::from(*b)).sum()
}

/// A share of one in 2^-32; one itself is a unit less.
fn fraction(share: I32F32) -> u32 {
    u32::try_from(share.to_bits().max(0)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
