//! A distribution over the next byte, as a miner claims it, in integers.
//!
//! Each probability is scaled by 2^40 and rounded down once; both are exact in IEEE arithmetic, so that every machine
//! reads the same integers. What follows is integer arithmetic.

use super::super::{
    Answer,
    log::{FRACTION_BITS, log2},
};
use nervure_protocol::Score;

/// Bits that the least likely byte costs: smaller probabilities count as 2^-16.
pub(super) const FLOOR_BITS: u32 = 16;

/// Probability 1, in the unit of masses.
const ONE: u64 = 1 << 40;

/// How far the sum may be from 1, because of rounding in a model. The masses are divided by their sum, so that
/// nothing is gained.
const SUM_TOLERANCE: u64 = ONE >> 8;

/// Masses of the 256 bytes; their sum is 1 within [`SUM_TOLERANCE`].
#[derive(Debug)]
pub(super) struct Distribution {
    masses: Vec<u64>,
    sum: u64,
}

impl Distribution {
    /// The distribution in an answer; `None` for another kind of answer, another number of probabilities, one that is
    /// negative, above 1 or not a number, or a sum other than 1.
    pub(super) fn read(answer: &Answer) -> Option<Self> {
        let Answer::Distribution(probabilities) = answer else { return None };
        if probabilities.len() != 256 {
            return None;
        }
        let masses: Option<Vec<u64>> = probabilities.iter().map(|p| mass(*p)).collect();
        let masses = masses?;
        let sum = masses.iter().sum();
        (ONE - SUM_TOLERANCE..=ONE + SUM_TOLERANCE).contains(&sum).then_some(Self { masses, sum })
    }

    /// -log2 of the probability of `byte`, in 2^-16 bits, at most [`FLOOR_BITS`].
    pub(super) fn bits(&self, byte: u8) -> u64 {
        let mass = self.masses.get(usize::from(byte)).copied().unwrap_or(0).max(1);
        log2(self.sum).saturating_sub(log2(mass)).min(u64::from(FLOOR_BITS) << FRACTION_BITS)
    }

    /// The masses as parts of 2^20, to compare with others'.
    pub(super) fn coarse(&self) -> Box<[i64]> {
        self.masses.iter().map(|mass| (mass >> 20) as i64).collect()
    }
}

/// Total variation distance: half the sum of the differences of [coarse](Distribution::coarse) masses.
pub(super) fn distance(left: &[i64], right: &[i64]) -> Score {
    let moved: u64 = left.iter().zip(right).map(|(a, b)| a.abs_diff(*b)).sum();
    Score::ratio(moved / 2, 1 << 20)
}

fn mass(probability: f32) -> Option<u64> {
    let valid = (0.0..=1.01).contains(&probability);
    valid.then(|| (f64::from(probability) * ONE as f64) as u64)
}
