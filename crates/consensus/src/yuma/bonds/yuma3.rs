//! Yuma 3: a validator's bond in a miner is the moving average of its own weights for it.
//!
//! Stake weights the dividends and not the bonds, so that a small validator that finds a miner first
//! keeps its bond when a large one follows.

use super::BondInputs;
use crate::{fixed::I32F32, yuma::sparse::Matrix};

/// The dividends before they are normalised: `D_i = a_i sum_j (E_ij / sum_k E_kj) I_j`.
pub(super) fn dividends(bonds: &Matrix, inputs: &BondInputs<'_>) -> Vec<I32F32> {
    let sums = bonds.weighted_share_sums(inputs.incentive);
    sums.iter().zip(inputs.active_stake).map(|(sum, stake)| *sum * *stake).collect()
}
