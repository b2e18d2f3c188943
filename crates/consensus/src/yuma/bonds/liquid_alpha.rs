//! Liquid alpha: a speed of its own for every bond.
//!
//! A sigmoid of how far a weight is above the consensus (or, when the validator is selling, of how far
//! it is below the bond) moves the speed between two bounds. The bonds are Yuma 3's, with one
//! difference: a bond only survives where the weights name the miner. An explicit zero lets it decay,
//! an omission ends it at once.

use super::Market;
use crate::{
    fixed::{I32F32, exp},
    yuma::{
        LiquidAlpha,
        sparse::{Matrix, merge_rows},
    },
};

/// The bounds and steepness of liquid alpha, ready to use.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Speed {
    low: I32F32,
    high: I32F32,
    /// Minus the steepness, in ones.
    slope: I32F32,
    /// The speed of a cell without any difference: by far the most common one.
    at_rest: I32F32,
}

impl Speed {
    /// Converts the parameters.
    pub(crate) fn new(params: LiquidAlpha) -> Self {
        let mut speed = Self {
            low: I32F32::from_proportion(params.low),
            high: I32F32::from_proportion(params.high),
            slope: I32F32::from_int(params.steepness) / I32F32::from_int(-100),
            at_rest: I32F32::ZERO,
        };
        speed.at_rest = speed.of_difference(I32F32::ZERO);
        speed
    }

    /// The share of the new weight in the bond.
    pub(crate) fn of(&self, consensus: I32F32, weight: I32F32, bond: I32F32) -> I32F32 {
        let difference = if weight >= bond { weight - consensus } else { bond - weight };
        let difference = difference.clamp(I32F32::ZERO, I32F32::ONE);
        if difference == I32F32::ZERO { self.at_rest } else { self.of_difference(difference) }
    }

    /// `low + (high - low) / (1 + exp(-steepness (difference - 0.5)))`, within the bounds.
    fn of_difference(&self, difference: I32F32) -> I32F32 {
        let sigmoid = I32F32::ONE / (I32F32::ONE + exp(self.slope * (difference - I32F32::HALF)));
        (self.low + sigmoid * (self.high - self.low)).max(self.low).min(self.high)
    }
}

/// The bonds after the epoch: `min(1, (1 - alpha_ij) B_ij + alpha_ij w_ij)` where w is present.
pub(super) fn averaged(market: &Market<'_>, before: &Matrix, params: LiquidAlpha) -> Matrix {
    let speed = Speed::new(params);
    let weights = market.weights;
    let mut after = Matrix::with_capacity(weights.rows(), weights.columns(), weights.cells());
    for row in 0..weights.rows() {
        merge_rows((weights, before), row, |uid, weight, bond| {
            let (Some(weight), bond) = (weight, bond.unwrap_or_default()) else { return };
            let alpha = speed.of(market.consensus[usize::from(uid)], weight, bond);
            let value = average(weight, bond, alpha);
            if value > I32F32::ZERO {
                after.push(uid, value);
            }
        });
        after.end_row();
    }
    after
}

/// `min(1, (1 - alpha) * old + alpha * new)`.
pub(crate) fn average(new: I32F32, old: I32F32, alpha: I32F32) -> I32F32 {
    ((I32F32::ONE - alpha) * old + alpha * new).min(I32F32::ONE)
}
