//! Timers and timeouts, and how timeouts adapt.
//!
//! Safety does not depend on timers. They decide how long to wait for slow and crashed validators.
//! Timeouts grow with the round, so that some round is long enough for every network whose delays
//! are bounded. A height that needed several rounds makes the next heights start with longer
//! timeouts, and every height decided in round 0 takes one step back.

use std::time::Duration;

use nervure_primitives::BlockHeight;
use serde::{Deserialize, Serialize};

use super::Round;

/// How many steps earlier heights can add to the timeouts of the next.
const MAX_BACKOFF_STEPS: u32 = 8;

/// The purpose of a timer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum TimerKind {
    /// Wait for a proposal, then prevote nil.
    #[serde(rename = "propose")]
    Propose,
    /// Wait for more prevotes once two thirds of the power have prevoted without a polka.
    #[serde(rename = "prevote")]
    Prevote,
    /// Wait for more precommits once two thirds of the power have precommitted without a decision.
    #[serde(rename = "precommit")]
    Precommit,
    /// Send again what may have been lost.
    #[serde(rename = "rebroadcast")]
    Rebroadcast,
    /// Listen before the first signature of a process.
    #[serde(rename = "listen")]
    Listen,
}

/// A timer. At most one of each runs; scheduling it again restarts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Timer {
    /// The height that it belongs to.
    #[serde(rename = "h")]
    pub height: BlockHeight,
    /// The round that it belongs to.
    #[serde(rename = "r")]
    pub round: Round,
    /// Its purpose.
    #[serde(rename = "k")]
    pub kind: TimerKind,
}

/// The timeouts of an engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// For the proposal of round 0, with the time to fetch and execute its block. If it is too short,
    /// honest proposers lose their rounds.
    pub propose: Duration,
    /// For late votes of round 0. If it is too short, heights take more rounds; if it is too long,
    /// rounds with split votes take longer.
    pub vote: Duration,
    /// Added to both by every further round and every step of backoff.
    pub step: Duration,
    /// Between two rebroadcasts. If it is too short, the mesh is flooded; if it is too long, heights
    /// stall after losses.
    pub rebroadcast: Duration,
    /// Upper bound for every timeout.
    pub longest: Duration,
}

impl Timeouts {
    /// For validators on one machine or in one data centre: blocks every second.
    pub const fn local() -> Self {
        Self {
            propose: Duration::from_millis(500),
            vote: Duration::from_millis(200),
            step: Duration::from_millis(200),
            rebroadcast: Duration::from_millis(500),
            longest: Duration::from_secs(10),
        }
    }

    /// For validators around the world: blocks every 12 seconds.
    pub const fn public() -> Self {
        Self {
            propose: Duration::from_secs(3),
            vote: Duration::from_secs(1),
            step: Duration::from_millis(500),
            rebroadcast: Duration::from_secs(3),
            longest: Duration::from_secs(60),
        }
    }

    /// The timeout of `kind` in `round`, with `backoff` steps from earlier heights:
    /// `min(longest, base + step * (round + backoff))`.
    pub(super) fn duration(&self, kind: TimerKind, round: Round, backoff: TimeoutBackoff) -> Duration {
        let base = match kind {
            TimerKind::Propose => self.propose,
            TimerKind::Prevote | TimerKind::Precommit => self.vote,
            // It makes up for losses, which do not depend on the round. The listening timer has its own
            // duration and does not use this one.
            TimerKind::Rebroadcast | TimerKind::Listen => return self.rebroadcast.min(self.longest),
        };
        let steps = round.0.saturating_add(backoff.0);
        base.saturating_add(self.step.saturating_mul(steps)).min(self.longest)
    }
}

/// Steps that earlier heights add to the timeouts of the next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct TimeoutBackoff(u32);

impl TimeoutBackoff {
    /// Adapts to a height that was decided in `round`.
    pub(super) fn learn(&mut self, round: Round) {
        self.0 = match round.0 {
            0 => self.0.saturating_sub(1),
            // One Byzantine proposer can cost a round now and then; the bound keeps what it can add to
            // later heights.
            rounds => self.0.saturating_add(rounds).min(MAX_BACKOFF_STEPS),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts_grow_with_rounds_and_backoff_up_to_the_limit() {
        let timeouts = Timeouts::local();
        let of =
            |round, backoff| timeouts.duration(TimerKind::Propose, Round(round), TimeoutBackoff(backoff));
        assert_eq!(of(0, 0), Duration::from_millis(500));
        assert_eq!(of(2, 1), Duration::from_millis(1100));
        assert_eq!(of(u32::MAX, u32::MAX), timeouts.longest);
    }

    #[test]
    fn backoff_grows_with_late_rounds_and_shrinks_with_round_0() {
        let mut backoff = TimeoutBackoff::default();
        backoff.learn(Round(3));
        backoff.learn(Round(0));
        assert_eq!(backoff, TimeoutBackoff(2));
        backoff.learn(Round(1 << 19));
        assert_eq!(backoff, TimeoutBackoff(MAX_BACKOFF_STEPS));
    }
}
