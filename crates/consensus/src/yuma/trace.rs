//! [`Trace`]: every intermediate result of an epoch, for explanations and tests.

use super::Matrix;
use crate::fixed::I32F32;

/// The intermediate results in the order of the computation; vectors and matrix rows are indexed by
/// uid.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trace {
    /// Which uids set weights recently enough.
    pub active: Vec<bool>,
    /// Shares of all stake.
    pub stake: Vec<I32F32>,
    /// The permits in force.
    pub permits: Vec<bool>,
    /// Shares of the stake that votes.
    pub active_stake: Vec<I32F32>,
    /// The weights that count, each row summing to one.
    pub weights: Matrix,
    /// The weight that the majority of stake gives.
    pub consensus: Vec<I32F32>,
    /// The weights cut to the consensus.
    pub clipped: Matrix,
    /// The sum of each validator's clipped weights.
    pub validator_trust: Vec<I32F32>,
    /// Each uid's clipped weights, weighted by stake.
    pub rank: Vec<I32F32>,
    /// The share of a uid's stake-weighted weights that the clip left.
    pub trust: Vec<I32F32>,
    /// Ranks as shares of one.
    pub incentive: Vec<I32F32>,
    /// The weights that bonds follow.
    pub weights_for_bonds: Matrix,
    /// The bonds that the epoch started from.
    pub bonds_before: Matrix,
    /// The bonds that it ended with, in the scale that is stored, before uids without a permit lose
    /// theirs.
    pub bonds_after: Matrix,
    /// How much each validator's weights said before it was public, of one; empty where no dividends follow it.
    pub skills: Vec<I32F32>,
    /// Dividends as shares of one.
    pub dividends: Vec<I32F32>,
}
