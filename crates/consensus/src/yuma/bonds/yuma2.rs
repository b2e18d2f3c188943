//! Yuma 2: bonds are shares of a miner, weighted by the validator's stake.
//!
//! Every column is normalised at every step, so a validator's gain in a miner is the others' loss.

use super::BondInputs;
use crate::{fixed::I32F32, yuma::sparse::Matrix};

/// Stored bonds as shares of each miner.
pub(super) fn from_stored(mut stored: Matrix) -> Matrix {
    stored.normalize_columns();
    stored
}

/// The bonds after the epoch, each column scaled to a largest of one, and the dividends before they
/// are normalised: `D_i = sum_j E_ij I_j`.
pub(super) fn update(before: &Matrix, inputs: &BondInputs<'_>, alpha: I32F32) -> (Matrix, Vec<I32F32>) {
    let mut bond_weights = inputs.weights.clone();
    // Stake counts when the bond is bought, so a validator that grows later does not gain on old bonds.
    bond_weights.scale_rows(inputs.active_stake);
    bond_weights.normalize_columns();
    let mut bonds = Matrix::averaged(&bond_weights, before, alpha);
    // Again after the average: a column that only one operand has does not sum to one.
    bonds.normalize_columns();
    // Before the upscaling, while each column still is a distribution.
    let dividends = bonds.weighted_row_sums(inputs.incentive);
    // Stored as shares of the column's maximum, to use all 16 bits.
    bonds.upscale_columns();
    (bonds, dividends)
}
