//! The parameters of a subnet's epoch: [`Params`].

use nervure_primitives::Uid;
use serde::{Deserialize, Serialize};

use super::YumaError;
use crate::fixed::I32F32;

/// The activity cutoff in thousandths of a tempo that a subnet starts with.
pub const ACTIVITY_FACTOR_MILLI: u64 = 13_889;

/// The denominator of [`Params::bonds_moving_average`].
const PARTS_PER_MILLION: u32 = 1_000_000;

/// Which rule turns weights into bonds and bonds into dividends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum BondsRule {
    /// Bonds are shares of a miner, weighted by stake when they are bought: normalised per column.
    Yuma2,
    /// Each validator's bonds are the moving average of its own weights, weighted by stake when they pay.
    Yuma3,
    /// Yuma 3 with an alpha per cell.
    Yuma3Liquid(LiquidAlpha),
}

/// How fast bonds follow weights under liquid alpha: slowly where a validator follows the consensus,
/// fast where it is ahead of the consensus.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct LiquidAlpha {
    /// The slowest share of the new weight per epoch, of 65,535.
    pub low: u16,
    /// The fastest one, of 65,535.
    pub high: u16,
    /// The steepness of the sigmoid between the bounds, in hundredths.
    pub steepness: i32,
}

impl Default for LiquidAlpha {
    fn default() -> Self {
        Self { low: 45_875, high: 58_982, steepness: 1_000 }
    }
}

/// The parameters of a subnet's epoch. The defaults are those of a new subnet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Params {
    /// The majority of stake that has to give a weight for it to count in full, of 65,535.
    pub kappa: u16,
    /// How much of a weight above the consensus does not count for bonds, of 65,535.
    pub bonds_penalty: u16,
    /// How much of the old bonds an epoch keeps, in millionths.
    pub bonds_moving_average: u32,
    /// The bonds rule.
    pub bonds: BondsRule,
    /// Upper bound for validator permits.
    pub max_validators: u32,
    /// Blocks between two epochs.
    pub tempo: u64,
    /// Blocks after its last weights at which a validator counts as inactive; see [`activity_cutoff`].
    pub activity_cutoff: u64,
    /// The raw stake below which a uid counts as having none; the owner is exempt.
    pub stake_threshold: u64,
    /// The uid of the subnet's owner: it always has a permit and may weight itself.
    pub owner: Option<Uid>,
    /// The block of the last successful step, 0 when there was none.
    pub last_step_block: u64,
    /// The part of the dividends that follows what weights said before it was public, of 65,535; 0 is none.
    #[serde(default, skip_serializing_if = "is_none")]
    pub peer_prediction: u16,
}

impl Default for Params {
    fn default() -> Self {
        let tempo = 360;
        Self {
            kappa: 32_767,
            bonds_penalty: u16::MAX,
            bonds_moving_average: 900_000,
            bonds: BondsRule::Yuma3,
            max_validators: 64,
            tempo,
            activity_cutoff: activity_cutoff(ACTIVITY_FACTOR_MILLI, tempo),
            stake_threshold: 0,
            owner: None,
            last_step_block: 0,
            peer_prediction: 0,
        }
    }
}

fn is_none(part: &u16) -> bool {
    *part == 0
}

/// The activity cutoff in blocks: `max(1, floor(factor_milli * tempo / 1000))`.
pub fn activity_cutoff(factor_milli: u64, tempo: u64) -> u64 {
    // 128 bits: the product of two u64 always fits.
    let blocks = u128::from(factor_milli) * u128::from(tempo) / 1_000;
    u64::try_from(blocks).unwrap_or(u64::MAX).max(1)
}

impl Params {
    /// The majority as a share of stake.
    pub(crate) fn kappa(&self) -> I32F32 {
        I32F32::from_proportion(self.kappa)
    }

    /// The bonds penalty as a share.
    pub(crate) fn bonds_penalty(&self) -> I32F32 {
        I32F32::from_proportion(self.bonds_penalty)
    }

    /// The share of new bonds in an epoch: `1 - m / 10^6`, where the quotient is truncated.
    pub(crate) fn bonds_alpha(&self) -> I32F32 {
        // Plain integer division: the reference chain truncates this quotient, not the difference.
        let kept =
            (u64::from(self.bonds_moving_average) << I32F32::FRACTION_BITS) / u64::from(PARTS_PER_MILLION);
        I32F32::ONE - I32F32::from_bits(kept as i64)
    }

    /// The block after which a registration counts as recent: a column registered at or after it has
    /// no bonds yet.
    pub(crate) fn bonds_from_block(&self, block: u64) -> u64 {
        if self.last_step_block == 0 {
            block.saturating_sub(self.tempo)
        } else {
            // One more than the step: a uid that registered in the block of the last step is still a known
            // one.
            self.last_step_block.saturating_add(1)
        }
    }

    /// Refuses parameters that are invalid for a subnet of `neurons` uids.
    pub(crate) fn check(&self, neurons: usize) -> Result<(), YumaError> {
        if let Some(owner) = self.owner
            && usize::from(owner.0) >= neurons
        {
            return Err(YumaError::OwnerOutOfRange { owner, neurons });
        }
        if self.bonds_moving_average > PARTS_PER_MILLION {
            return Err(YumaError::MovingAverage { ppm: self.bonds_moving_average });
        }
        if let BondsRule::Yuma3Liquid(LiquidAlpha { low, high, .. }) = self.bonds
            && low > high
        {
            return Err(YumaError::AlphaBounds { low, high });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cutoff_is_floored_and_at_least_one_block() {
        assert_eq!(activity_cutoff(13_889, 1), 13);
        assert_eq!(activity_cutoff(13_889, 360), 5_000);
        assert_eq!(activity_cutoff(0, 360), 1);
        assert_eq!(activity_cutoff(u64::MAX, u64::MAX), u64::MAX);
    }

    #[test]
    fn refuses_invalid_parameters() {
        let owner = Params { owner: Some(Uid(3)), ..Params::default() };
        assert!(matches!(owner.check(3), Err(YumaError::OwnerOutOfRange { .. })));
        assert_eq!(owner.check(4), Ok(()));
        let average = Params { bonds_moving_average: 1_000_001, ..Params::default() };
        assert!(matches!(average.check(0), Err(YumaError::MovingAverage { .. })));
        let bounds = BondsRule::Yuma3Liquid(LiquidAlpha { low: 2, high: 1, steepness: 0 });
        let bounds = Params { bonds: bounds, ..Params::default() };
        assert!(matches!(bounds.check(0), Err(YumaError::AlphaBounds { .. })));
    }

    #[test]
    fn registrations_are_recent_since_the_last_step_or_for_one_tempo() {
        let fresh = Params { tempo: 10, ..Params::default() };
        assert_eq!(fresh.bonds_from_block(25), 15);
        assert_eq!(fresh.bonds_from_block(5), 0);
        assert_eq!(Params { last_step_block: 20, ..fresh }.bonds_from_block(25), 21);
    }
}
