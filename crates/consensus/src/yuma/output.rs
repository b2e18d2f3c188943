//! The results of an epoch: [`EpochOutput`].

use super::{Cell, Prior};

/// The results of an epoch; every vector is indexed by uid.
///
/// Proportions are of 65,535, amounts are base units. All are rounded down: see
/// [`remainder`](Self::remainder) for what that leaves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EpochOutput {
    /// The weight that the majority of stake gives each uid.
    pub consensus: Vec<u16>,
    /// The incentive of each uid, as a miner.
    pub incentive: Vec<u16>,
    /// The dividends of each uid, as a validator.
    pub dividends: Vec<u16>,
    /// How much of each validator's weights was within the consensus.
    pub validator_trust: Vec<u16>,
    /// The emission of each uid as a miner.
    pub server_emission: Vec<u64>,
    /// The emission of each uid as a validator.
    pub validator_emission: Vec<u64>,
    /// The emission of each uid in all, rounded once.
    pub emission: Vec<u64>,
    /// Which uids have a validator permit in the next epoch.
    pub new_permits: Vec<bool>,
    /// The bonds to keep for the next epoch, ascending by uid; empty for uids without a new permit.
    pub bonds: Vec<Vec<Cell>>,
    /// What the next epoch calls public about each uid; empty without [`Params::peer_prediction`](super::Params).
    pub priors: Vec<Prior>,
}

impl EpochOutput {
    /// The remainder of `emission` after every [`emission`](Self::emission) is paid; `None` if
    /// more than `emission` would be paid, which only happens when raw stakes exceed 2^63.
    pub fn remainder(&self, emission: u64) -> Option<u64> {
        emission.checked_sub(checked_sum(&self.emission)?)
    }
}

/// The sum; `None` when it does not fit.
pub fn checked_sum(values: &[u64]) -> Option<u64> {
    values.iter().try_fold(0u64, |sum, value| sum.checked_add(*value))
}
