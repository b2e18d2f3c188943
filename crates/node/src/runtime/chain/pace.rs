//! When the next height begins: every block time, and together with the other validators.
//!
//! A clock of its own would keep a validator for ever as far from the others as it once was: too late, they wait for
//! its proposals; too early, it waits for theirs and gives their turns up. So whoever is late begins when more than a
//! third of the voting power has (at least one of them honest), and whoever is early begins a block time after the last
//! *commit*, which is one moment for all, less an [`ALLOWANCE`] for what agreeing takes.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use nervure_consensus::checkpoint::ValidatorSet;
use nervure_primitives::NodeId;

/// One in so many parts of the block time may pass from the beginning of a height to its commit without making the next
/// one later. Less would make blocks slower than they should be, more would leave the early too early.
const ALLOWANCE: u32 = 8;

/// The beginnings of heights.
pub(super) struct Pace {
    block_time: Duration,
    begun: Instant,
    /// Who has begun the next height, while it is awaited.
    ahead: BTreeSet<NodeId>,
}

impl Pace {
    pub(super) const fn new(block_time: Duration, now: Instant) -> Self {
        Self { block_time, begun: now, ahead: BTreeSet::new() }
    }

    /// A height begins.
    pub(super) fn begin(&mut self, now: Instant) {
        self.begun = now;
        self.ahead.clear();
    }

    /// How long the height has taken.
    pub(super) fn took(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.begun)
    }

    /// When the height after the one committed at `now` begins.
    pub(super) fn next(&self, now: Instant) -> Instant {
        (self.begun + self.block_time).max(now + self.block_time - self.block_time / ALLOWANCE)
    }

    /// Whether it is time, now that `from` speaks of the height that has not begun here.
    pub(super) fn hears(&mut self, from: NodeId, validators: &ValidatorSet) -> bool {
        if validators.contains(&from) {
            self.ahead.insert(from);
        }
        let ahead = self.ahead.iter().filter_map(|node| validators.power_of(node));
        let all = validators.members().iter().map(|member| member.power);
        ahead.map(u128::from).sum::<u128>() * 3 > all.map(u128::from).sum()
    }
}

#[cfg(test)]
mod tests {
    use nervure_primitives::NodeKey;

    use super::*;

    const BLOCK_TIME: Duration = Duration::from_secs(1);

    fn node(seed: u8) -> NodeId {
        NodeKey::from_seed(&[seed; 32]).node_id()
    }

    fn validators() -> ValidatorSet {
        ValidatorSet::from_stakes((1..=4).map(|seed| (node(seed), 10))).unwrap()
    }

    #[test]
    fn two_of_four_pull_a_third_along_and_one_does_not() {
        let mut pace = Pace::new(BLOCK_TIME, Instant::now());
        let validators = validators();
        assert!(!pace.hears(node(1), &validators));
        assert!(!pace.hears(node(1), &validators), "again is no second one");
        assert!(!pace.hears(node(9), &validators), "no validator");
        assert!(pace.hears(node(2), &validators));
        pace.begin(Instant::now());
        assert!(!pace.hears(node(3), &validators), "that was another height");
    }

    #[test]
    fn blocks_come_every_block_time_when_agreeing_is_quick() {
        let start = Instant::now();
        let pace = Pace::new(BLOCK_TIME, start);
        assert_eq!(pace.next(start + BLOCK_TIME / 20), start + BLOCK_TIME);
    }

    /// Three at one moment, and one that begins 0.9 of a block time before them: each commits when the three do.
    #[test]
    fn whoever_is_early_is_pulled_back() {
        let start = Instant::now();
        let mut others = Pace::new(BLOCK_TIME, start + BLOCK_TIME * 9 / 10);
        let mut early = Pace::new(BLOCK_TIME, start);
        let took = BLOCK_TIME / 20;
        for _ in 0..2 {
            let committed = others.begun + took;
            let next = (others.next(committed), early.next(committed));
            others.begin(next.0);
            early.begin(next.1);
        }
        assert!(others.begun.saturating_duration_since(early.begun) <= BLOCK_TIME / ALLOWANCE);
    }
}
