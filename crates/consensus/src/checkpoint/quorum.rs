//! Quorums of voting power.
//!
//! Two shares matter: with *more than two thirds* of the power any two quorums share an honest
//! validator as long as less than a third is Byzantine; with *more than one third* at least one
//! honest validator is among the voters.

/// A share of the voting power that has to be exceeded; reaching it is not enough.
///
/// ```
/// use nervure_consensus::checkpoint::Quorum;
///
/// assert!(!Quorum::TWO_THIRDS.is_met(2, 3));
/// assert!(Quorum::TWO_THIRDS.is_met(3, 4));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quorum {
    numerator: u64,
    denominator: u64,
}

impl Quorum {
    /// More than two thirds: enough to decide.
    pub const TWO_THIRDS: Self = Self { numerator: 2, denominator: 3 };

    /// More than one third: at least one honest voter.
    pub const ONE_THIRD: Self = Self { numerator: 1, denominator: 3 };

    /// More than one half: **unsafe**, two such quorums need not share an honest validator. Only for
    /// tests that have to detect the fork.
    #[cfg(any(test, feature = "simulation"))]
    pub const ONE_HALF: Self = Self { numerator: 1, denominator: 2 };

    /// Whether `power` exceeds this share of `total`.
    pub fn is_met(self, power: u64, total: u64) -> bool {
        // Cross-multiplied in 128 bits: no rounding and no overflow.
        u128::from(power) * u128::from(self.denominator) > u128::from(total) * u128::from(self.numerator)
    }

    #[cfg(feature = "bft")]
    pub(crate) const fn numerator(self) -> u64 {
        self.numerator
    }

    #[cfg(feature = "bft")]
    pub(crate) const fn denominator(self) -> u64 {
        self.denominator
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_quorum_is_more_than_its_share() {
        assert!(!Quorum::TWO_THIRDS.is_met(2, 3) && Quorum::TWO_THIRDS.is_met(3, 4));
        assert!(!Quorum::ONE_THIRD.is_met(1, 3) && Quorum::ONE_THIRD.is_met(2, 4));
        assert!(!Quorum::TWO_THIRDS.is_met(0, 0), "no power is no quorum");
        assert!(Quorum::TWO_THIRDS.is_met(u64::MAX, u64::MAX), "no overflow");
    }

    proptest! {
        /// Two quorums of two thirds share more than a third.
        #[test]
        fn two_quorums_share_more_than_a_third(total in 1u64..1 << 60, a: u64, b: u64) {
            let (a, b) = (a % (total + 1), b % (total + 1));
            if Quorum::TWO_THIRDS.is_met(a, total) && Quorum::TWO_THIRDS.is_met(b, total) {
                prop_assert!(Quorum::ONE_THIRD.is_met(a + b - total, total));
            }
        }
    }
}
