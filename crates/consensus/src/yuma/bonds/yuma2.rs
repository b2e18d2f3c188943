//! Yuma 2: bonds are shares of a miner, and a validator buys them with its stake.
//!
//! Every column is normalised at every step, so what one validator gains in a miner the others lose.

use super::Market;
use crate::{fixed::I32F32, yuma::sparse::Matrix};

/// Stored bonds as shares of each miner.
pub(super) fn from_stored(mut stored: Matrix) -> Matrix {
    stored.normalize_columns();
    stored
}

/// The bonds after the epoch, each column scaled to a largest of one, and the dividends before they
/// are normalised: `D_i = sum_j E_ij I_j`.
pub(super) fn update(before: &Matrix, market: &Market<'_>, alpha: I32F32) -> (Matrix, Vec<I32F32>) {
    let mut bought = market.weights.clone();
    bought.scale_rows(market.active_stake);
    bought.normalize_columns();
    let mut bonds = Matrix::averaged(&bought, before, alpha);
    bonds.normalize_columns();
    let dividends = bonds.weighted_row_sums(market.incentive);
    bonds.upscale_columns();
    (bonds, dividends)
}
