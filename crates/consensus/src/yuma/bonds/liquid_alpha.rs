//! Liquid alpha: an alpha per bond.
//!
//! Alpha is a sigmoid between two bounds, of how far a weight is above the consensus, or, when it is
//! below the bond, of how far. The bonds are Yuma 3's, with one difference: a bond exists only where
//! the weights have a cell. An explicit zero lets it decay, an absent cell ends it at once.

use super::BondInputs;
use crate::{
    fixed::{I32F32, exp},
    yuma::{
        LiquidAlpha,
        sparse::{Matrix, merge_rows},
    },
};

/// The sigmoid of liquid alpha, with its parameters converted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AlphaSigmoid {
    low: I32F32,
    high: I32F32,
    /// The negated steepness, in ones.
    slope: I32F32,
    /// Alpha at a difference of zero, by far the most common one: saves an `exp` per cell.
    at_zero: I32F32,
}

impl AlphaSigmoid {
    /// Converts the parameters.
    pub(crate) fn new(params: LiquidAlpha) -> Self {
        let mut sigmoid = Self {
            low: I32F32::from_proportion(params.low),
            high: I32F32::from_proportion(params.high),
            // The steepness is in hundredths. The sign is that of the exponent in the sigmoid.
            slope: I32F32::from_int(params.steepness) / I32F32::from_int(-100),
            at_zero: I32F32::ZERO,
        };
        sigmoid.at_zero = sigmoid.of_difference(I32F32::ZERO);
        sigmoid
    }

    /// Alpha: the share of the new weight in the bond.
    pub(crate) fn of(&self, consensus: I32F32, weight: I32F32, bond: I32F32) -> I32F32 {
        // A bond that grows is compared with the consensus, a bond that shrinks with the weight.
        let difference = if weight >= bond { weight - consensus } else { bond - weight };
        let difference = difference.clamp(I32F32::ZERO, I32F32::ONE);
        if difference == I32F32::ZERO { self.at_zero } else { self.of_difference(difference) }
    }

    /// `low + (high - low) / (1 + exp(-steepness (difference - 0.5)))`, within the bounds.
    fn of_difference(&self, difference: I32F32) -> I32F32 {
        let sigmoid = I32F32::ONE / (I32F32::ONE + exp(self.slope * (difference - I32F32::HALF)));
        // Not `clamp`, which panics when the bounds are crossed.
        (self.low + sigmoid * (self.high - self.low)).max(self.low).min(self.high)
    }
}

/// The bonds after the epoch: `min(1, (1 - alpha_ij) B_ij + alpha_ij w_ij)` where w is present.
pub(super) fn averaged(inputs: &BondInputs<'_>, before: &Matrix, params: LiquidAlpha) -> Matrix {
    let sigmoid = AlphaSigmoid::new(params);
    let weights = inputs.weights;
    let mut after = Matrix::with_capacity(weights.rows(), weights.columns(), weights.cells());
    for row in 0..weights.rows() {
        merge_rows((weights, before), row, |uid, weight, bond| {
            let (Some(weight), bond) = (weight, bond.unwrap_or_default()) else { return };
            let alpha = sigmoid.of(inputs.consensus[usize::from(uid)], weight, bond);
            let value = average(weight, bond, alpha);
            // Values are never below zero here. A bond of zero takes no cell.
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
