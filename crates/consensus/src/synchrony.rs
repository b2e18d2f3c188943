//! How far the time of a block may be from a validator's clock: proposer-based timestamps.
//!
//! A proposer writes the time of its own clock into its block. A validator that receives the proposal compares this
//! time with its own clock at that moment, and prevotes the block only if the two are close ([`Synchrony::is_timely`]).
//! So the time of every decided block was close to the clock of at least one honest validator when that validator
//! received it: the signers of a decision have more than two thirds of the power, and less than a third is Byzantine.
//!
//! Assumptions: clocks of honest validators differ by at most `precision`, and a proposal reaches each of them within
//! `message_delay`. If these bounds are too small for the network, honest proposals are refused. Therefore the bounds
//! double every eight rounds, so that a height is decided in the end. A Byzantine validator cannot use
//! this: it alone does not make a height take so many rounds.
//!
//! The method is that of CometBFT's proposer-based timestamps.

use std::time::Duration;

use nervure_primitives::UnixMillis;

use crate::statement::Round;

/// The bounds double after so many rounds: with up to a third of the proposers faulty or slow, a height is decided
/// long before.
const ROUNDS_PER_DOUBLING: u32 = 8;

/// The bounds double at most so often; a millisecond becomes about 12 days.
const MAX_DOUBLINGS: u32 = 30;

/// The bounds on clocks and delays that block times rest on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Synchrony {
    /// How far the clocks of two honest validators may be apart.
    pub precision: Duration,
    /// How long a proposal may travel from one honest validator to another.
    pub message_delay: Duration,
}

impl Synchrony {
    /// 500 ms between clocks, which NTP keeps, and 15 s for a proposal.
    pub const DEFAULT: Self =
        Self { precision: Duration::from_millis(500), message_delay: Duration::from_secs(15) };

    /// Whether a block of `time` that was proposed in `round` is prevoted by a validator whose clock said `received`
    /// when the proposal arrived: `time - precision <= received <= time + message_delay + precision`.
    pub fn is_timely(&self, time: UnixMillis, received: UnixMillis, round: Round) -> bool {
        let (ahead, behind) = self.bounds(round);
        received.plus(ahead) >= time && received <= time.plus(behind)
    }

    /// How far the time of a block may be ahead of a receiver's clock in `round`, and how far behind it.
    pub fn bounds(&self, round: Round) -> (Duration, Duration) {
        let factor = 1 << (round.0 / ROUNDS_PER_DOUBLING).min(MAX_DOUBLINGS);
        let travel = self.precision.saturating_add(self.message_delay);
        (self.precision.saturating_mul(factor), travel.saturating_mul(factor))
    }
}

impl Default for Synchrony {
    fn default() -> Self {
        Self::DEFAULT
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SYNCHRONY: Synchrony =
        Synchrony { precision: Duration::from_millis(10), message_delay: Duration::from_millis(100) };

    fn is_timely(time: u64, received: u64, round: u32) -> bool {
        SYNCHRONY.is_timely(UnixMillis(time), UnixMillis(received), Round(round))
    }

    #[test]
    fn a_block_is_timely_from_the_precision_before_to_the_delay_and_precision_after() {
        let accepted: Vec<u64> = (0..3_000).filter(|received| is_timely(1_000, *received, 0)).collect();
        assert_eq!(accepted, (990..=1_110).collect::<Vec<_>>());
    }

    #[test]
    fn the_bounds_double_every_eight_rounds() {
        assert!(!is_timely(1_000, 989, 7) && is_timely(1_000, 980, 8) && !is_timely(1_000, 979, 8));
        assert!(is_timely(1_000, 1_220, 8) && !is_timely(1_000, 1_221, 8));
        assert!(is_timely(u64::MAX / 2, 0, u32::MAX) || is_timely(0, 1_000_000_000, u32::MAX));
    }

    proptest! {
        /// Two honest validators whose clocks are within the precision accept each other's proposals.
        #[test]
        fn within_the_assumptions_every_proposal_is_timely(
            now in 1_000u64..u64::MAX / 2, skew in 0u64..=10, ahead: bool, delay in 0u64..=100, round: u32,
        ) {
            let arrival = now + delay;
            let received = if ahead { arrival + skew } else { arrival - skew };
            prop_assert!(is_timely(now, received, round));
        }

        /// What is timely stays timely in later rounds.
        #[test]
        fn later_rounds_accept_more(time in 0u64..10_000, received in 0u64..10_000, round in 0u32..300) {
            prop_assert!(!is_timely(time, received, round) || is_timely(time, received, round + 1));
        }
    }
}
