//! Bonds and the dividends that they pay.
//!
//! A bond is a validator's interest in a miner. It grows epoch by epoch while the validator gives
//! weight to the miner, and pays a share of the miner's incentive. The subnet selects the rule: [`yuma2`], [`yuma3`], or Yuma 3 with [`liquid_alpha`].

mod liquid_alpha;
mod yuma2;
mod yuma3;

#[cfg(test)]
pub(crate) use liquid_alpha::{AlphaSigmoid, average};

use nervure_primitives::Uid;

use super::{BondsRule, Cell, EpochInput, RowKind, YumaError, sparse::Matrix};
use crate::fixed::{I32F32, normalize};

/// The inputs of a bonds rule, besides the old bonds.
pub(crate) struct BondInputs<'a> {
    /// The share of voting stake of each uid.
    pub active_stake: &'a [I32F32],
    /// The weights that buy bonds.
    pub weights: &'a Matrix,
    /// The consensus weight of each uid.
    pub consensus: &'a [I32F32],
    /// The incentive of each uid, as a share of one.
    pub incentive: &'a [I32F32],
}

/// The bonds before and after an epoch, and the dividends.
pub(crate) struct Bonds {
    /// The bonds that the epoch started from, in the scale of the subnet's rule.
    pub before: Matrix,
    /// The bonds in the form that is stored: each cell a share of at most one.
    pub after: Matrix,
    /// The dividends of each uid, as a share of one.
    pub dividends: Vec<I32F32>,
}

/// Updates the bonds by the subnet's rule.
pub(crate) fn update(input: &EpochInput<'_>, inputs: &BondInputs<'_>) -> Result<Bonds, YumaError> {
    let before = stored(input)?;
    let alpha = input.params.bonds_alpha();
    let (before, after, mut dividends) = match input.params.bonds {
        BondsRule::Yuma2 => {
            let before = yuma2::from_stored(before);
            let (after, dividends) = yuma2::update(&before, inputs, alpha);
            (before, after, dividends)
        }
        BondsRule::Yuma3 => {
            // Yuma 3 takes the weights as they are, without stake: see `yuma3`.
            let after = Matrix::averaged(inputs.weights, &before, alpha);
            let dividends = yuma3::dividends(&after, inputs);
            (before, after, dividends)
        }
        BondsRule::Yuma3Liquid(bounds) => {
            // Without any consensus the sigmoid has no reference, so all bonds share one alpha.
            let no_consensus = inputs.consensus.iter().all(|consensus| *consensus == I32F32::ZERO);
            let after = if no_consensus {
                Matrix::averaged(inputs.weights, &before, alpha)
            } else {
                liquid_alpha::averaged(inputs, &before, bounds)
            };
            let dividends = yuma3::dividends(&after, inputs);
            (before, after, dividends)
        }
    };
    normalize(&mut dividends);
    Ok(Bonds { before, after, dividends })
}

/// The stored bonds as shares of 65,535, without the columns of uids that registered since the last
/// epoch: the new holder of a uid inherits no bonds in it.
fn stored(input: &EpochInput<'_>) -> Result<Matrix, YumaError> {
    let from = input.params.bonds_from_block(input.block);
    let n = input.neurons.len();
    let cells = input.neurons.iter().map(|neuron| neuron.bonds.len()).sum();
    let mut matrix = Matrix::with_capacity(n, n, cells);
    for row in 0..n {
        for &(uid, value) in input.row(row, RowKind::Bonds)?.iter() {
            // The column, not the row: bonds *in* a uid end when it changes hands.
            if from > input.neurons[usize::from(uid.0)].registered {
                matrix.push(uid.0, I32F32::from_int(value.into()));
            }
        }
        matrix.end_row();
    }
    // Yuma 2 normalises the columns instead, so a common factor would only cost precision.
    if input.params.bonds != BondsRule::Yuma2 {
        matrix.divide(I32F32::from_int(u16::MAX.into()));
    }
    Ok(matrix)
}

/// The bonds as they are stored: only uids with a new permit keep theirs. A cell that rounds to zero
/// stays as an explicit zero.
pub(crate) fn to_stored(bonds: &Matrix, new_permits: &[bool]) -> Vec<Vec<Cell>> {
    // `to_proportion` rounds down, so no bond grows by being stored.
    let row = |(row, permit): (usize, &bool)| {
        let (uids, values) = if *permit { bonds.row(row) } else { (&[][..], &[][..]) };
        uids.iter().zip(values).map(|(uid, value)| (Uid(*uid), value.to_proportion())).collect()
    };
    new_permits.iter().enumerate().map(row).collect()
}
