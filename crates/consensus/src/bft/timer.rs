//! Timers, how long they run, and how they adapt.
//!
//! Agreement is safe whatever the timers do; they only decide how long to wait for the slow and
//! the dead. Each round waits longer than the one before, so that some round is long enough for
//! any network whose delays have a bound. A height that needed several rounds makes the next ones
//! start more patiently, and every height decided at once takes a step of that back.

use std::time::Duration;

use nervure_primitives::BlockHeight;
use serde::{Deserialize, Serialize};

use super::Round;

/// Most steps that earlier heights can add to the patience of the next.
const MAX_PATIENCE: u32 = 8;

/// What a timer is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum TimerKind {
    /// How long to wait for a proposal before voting nil.
    #[serde(rename = "propose")]
    Propose,
    /// How long to wait for the rest of the prevotes once two thirds disagree.
    #[serde(rename = "prevote")]
    Prevote,
    /// How long to wait for the rest of the precommits once two thirds disagree.
    #[serde(rename = "precommit")]
    Precommit,
    /// When to send again what may have been lost.
    #[serde(rename = "rebroadcast")]
    Rebroadcast,
    /// How long to listen before the first signature of a process.
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
    /// What it is for.
    #[serde(rename = "k")]
    pub kind: TimerKind,
}

/// How long timers run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// For the proposal of round 0: fetching and executing a block included. Too short and honest
    /// proposers are passed over.
    pub propose: Duration,
    /// For late votes of round 0. Too short costs rounds, too long costs time when votes disagree.
    pub vote: Duration,
    /// What every further round, and every step of patience, adds to each of the two.
    pub step: Duration,
    /// Between two rounds of sending again. Too short floods, too long stalls after losses.
    pub rebroadcast: Duration,
    /// No timer runs longer.
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

    /// For validators all over the world: blocks every 12 seconds.
    pub const fn public() -> Self {
        Self {
            propose: Duration::from_secs(3),
            vote: Duration::from_secs(1),
            step: Duration::from_millis(500),
            rebroadcast: Duration::from_secs(3),
            longest: Duration::from_secs(60),
        }
    }

    /// How long a timer of `kind` runs in `round`, with `patience` steps from earlier heights.
    pub(super) fn duration(&self, kind: TimerKind, round: Round, patience: Patience) -> Duration {
        let base = match kind {
            TimerKind::Propose => self.propose,
            TimerKind::Prevote | TimerKind::Precommit => self.vote,
            TimerKind::Rebroadcast | TimerKind::Listen => return self.rebroadcast.min(self.longest),
        };
        let steps = round.0.saturating_add(patience.0);
        base.saturating_add(self.step.saturating_mul(steps)).min(self.longest)
    }
}

/// How many steps longer than configured timers start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Patience(u32);

impl Patience {
    /// Learns from a height that was decided in `round`.
    pub(super) fn learn(&mut self, round: Round) {
        self.0 = match round.0 {
            0 => self.0.saturating_sub(1),
            rounds => self.0.saturating_add(rounds).min(MAX_PATIENCE),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_and_trouble_make_patient_within_the_limit() {
        let timeouts = Timeouts::local();
        let of = |round, patience| timeouts.duration(TimerKind::Propose, Round(round), Patience(patience));
        assert_eq!(of(0, 0), Duration::from_millis(500));
        assert_eq!(of(2, 1), Duration::from_millis(1100));
        assert_eq!(of(u32::MAX, u32::MAX), timeouts.longest);
    }

    #[test]
    fn patience_comes_with_trouble_and_goes_without() {
        let mut patience = Patience::default();
        patience.learn(Round(3));
        patience.learn(Round(0));
        assert_eq!(patience, Patience(2));
        patience.learn(Round(1 << 19));
        assert_eq!(patience, Patience(MAX_PATIENCE));
    }
}
