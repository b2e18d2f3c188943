//! The base fee: what a unit of weight costs, which follows how full blocks are.
//!
//! Source: [EIP-1559](https://eips.ethereum.org/EIPS/eip-1559). A block with more than half of the weight that it may
//! have raises the base fee of the next one by up to an eighth, one with less lowers it by up to an eighth. The base
//! fee is recycled: were it paid to the proposer, filling one's own blocks would be free and would raise the price
//! for others.

use serde::{Deserialize, Serialize};

/// Weight that a base fee is for.
pub const WEIGHT_UNIT: u64 = 1_000;

/// The least floor: an eighth of it is one base unit, so that a step of one is never more than an eighth.
pub(crate) const MIN_FLOOR: u64 = 8;

/// The greatest floor: a token for the weight of one signature check.
pub(crate) const MAX_FLOOR: u64 = 1_000_000_000;

/// The part of the base fee by which it moves at most in a block: one in so many.
const STEP_DIVISOR: u128 = 8;

/// Base units per [`WEIGHT_UNIT`] units of weight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BaseFee(pub u64);

/// What `weight` costs at `rate` base units for each [`WEIGHT_UNIT`], a base fee or a tip: in base units, rounded up.
pub fn cost_of(weight: u64, rate: u64) -> u64 {
    let cost = (u128::from(weight) * u128::from(rate)).div_ceil(u128::from(WEIGHT_UNIT));
    u64::try_from(cost).unwrap_or(u64::MAX)
}

impl BaseFee {
    /// What `weight` costs in base units, rounded up.
    pub fn cost(self, weight: u64) -> u64 {
        cost_of(weight, self.0)
    }

    /// The base fee of the next block, after one that used `weight` of `limit`; never below `floor`.
    pub fn next(self, weight: u64, limit: u64, floor: u64) -> Self {
        let target = u128::from((limit / 2).max(1));
        // A block is valid only within its limit; a limit of an odd number or of 1 must not move it further.
        let used = u128::from(weight).min(2 * target);
        let step = |part: u128| u128::from(self.0) * part / target / STEP_DIVISOR;
        let now = u128::from(self.0);
        let next = match used > target {
            // At least one, or a low base fee would never rise.
            true => now + step(used - target).max(1),
            false => now - step(target - used),
        };
        Self(u64::try_from(next).unwrap_or(u64::MAX).max(floor))
    }

    /// The base fee after `blocks` full blocks, saturating: what a fee has to allow for to be enough for so long.
    pub fn after_full_blocks(self, blocks: u32) -> Self {
        (0..blocks).fold(self, |fee, _| fee.next(2, 2, 0))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn it_rises_with_full_blocks_and_falls_with_empty_ones() {
        let fee = BaseFee(800);
        assert_eq!(fee.next(1_000, 1_000, 8), BaseFee(900));
        assert_eq!(fee.next(500, 1_000, 8), fee, "half full");
        assert_eq!(fee.next(0, 1_000, 8), BaseFee(700));
        assert_eq!(fee.next(750, 1_000, 8), BaseFee(850));
        assert_eq!(fee.next(0, 1_000, 750), BaseFee(750), "the floor");
        assert_eq!(BaseFee(8).next(501, 1_000, 8), BaseFee(9), "a low one rises too");
        assert_eq!(fee.after_full_blocks(3), BaseFee(1_138));
        assert_eq!((fee.cost(1_001), BaseFee(u64::MAX).cost(u64::MAX)), (801, u64::MAX));
    }

    proptest! {
        #[test]
        fn it_moves_by_at_most_an_eighth(fee in MIN_FLOOR..u64::MAX / 2, used: u64, limit in 2u64..) {
            let next = BaseFee(fee).next(used % (limit + 1), limit, MIN_FLOOR).0;
            prop_assert!(next.abs_diff(fee) <= (fee / 8).max(1), "{fee} to {next}");
            prop_assert!(next >= MIN_FLOOR);
        }

        #[test]
        fn more_weight_never_costs_less(fee: u64, weight: u64, more: u64) {
            let fee = BaseFee(fee);
            prop_assert!(fee.cost(weight.saturating_add(more)) >= fee.cost(weight));
        }
    }
}
