//! Yuma 3: a validator's bond in a miner is the moving average of its own weights for it.
//!
//! Stake enters when dividends are paid and not when bonds are bought, so that a small validator that
//! finds a miner first is not crowded out of it by a large one that follows.

use super::Market;
use crate::{fixed::I32F32, yuma::sparse::Matrix};

/// The dividends before they are normalised: `D_i = a_i sum_j (E_ij / sum_k E_kj) I_j`.
pub(super) fn dividends(bonds: &Matrix, market: &Market<'_>) -> Vec<I32F32> {
    let earned = bonds.weighted_share_sums(market.incentive);
    earned.iter().zip(market.active_stake).map(|(earned, stake)| *earned * *stake).collect()
}
