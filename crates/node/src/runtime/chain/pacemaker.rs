//! When the next height begins: every block time, and together with the other validators.
//!
//! With independent clocks, a validator that is late stays late and the others wait for its proposals; one that is early
//! waits for theirs and skips their rounds. So a late validator begins when more than a third of the voting power has
//! started (at least one of them honest). An early one begins a block time after the last *commit*, which is the same
//! moment for all, less an allowance ([`AGREEMENT_ALLOWANCE_DIVISOR`]) for the time that agreement takes.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use nervure_consensus::checkpoint::ValidatorSet;
use nervure_primitives::NodeId;

/// This fraction of the block time (one in N) may pass from the beginning of a height to its commit without delaying the
/// next height. A smaller fraction would slow blocks down; a larger one would leave early validators too early.
const AGREEMENT_ALLOWANCE_DIVISOR: u32 = 8;

/// Decides when heights begin.
pub(super) struct Pacemaker {
    block_time: Duration,
    started: Instant,
    /// Validators that have begun the next height before this node.
    ahead: BTreeSet<NodeId>,
}

impl Pacemaker {
    pub(super) const fn new(block_time: Duration, now: Instant) -> Self {
        Self { block_time, started: now, ahead: BTreeSet::new() }
    }

    /// A height begins.
    pub(super) fn begin(&mut self, now: Instant) {
        self.started = now;
        self.ahead.clear();
    }

    /// How long the height has taken.
    pub(super) fn took(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.started)
    }

    /// When the height after the one committed at `now` begins.
    pub(super) fn next(&self, now: Instant) -> Instant {
        // The later of both: a late validator keeps the block time, and an early one waits for the common
        // moment.
        (self.started + self.block_time)
            .max(now + self.block_time - self.block_time / AGREEMENT_ALLOWANCE_DIVISOR)
    }

    /// Whether the next height should begin, now that `from` has sent a message of it.
    pub(super) fn on_next_height_message(&mut self, from: NodeId, validators: &ValidatorSet) -> bool {
        if validators.contains(&from) {
            self.ahead.insert(from);
        }
        let ahead = self.ahead.iter().filter_map(|node| validators.power_of(node));
        let all = validators.members().iter().map(|member| member.power);
        // More than a third of the power: at least one of them is honest, so that faulty ones cannot speed
        // the chain up.
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
        let mut pacemaker = Pacemaker::new(BLOCK_TIME, Instant::now());
        let validators = validators();
        assert!(!pacemaker.on_next_height_message(node(1), &validators));
        assert!(!pacemaker.on_next_height_message(node(1), &validators), "the same validator counts once");
        assert!(!pacemaker.on_next_height_message(node(9), &validators), "not a validator");
        assert!(pacemaker.on_next_height_message(node(2), &validators));
        pacemaker.begin(Instant::now());
        assert!(!pacemaker.on_next_height_message(node(3), &validators), "that was another height");
    }

    #[test]
    fn blocks_come_every_block_time_when_agreeing_is_quick() {
        let start = Instant::now();
        let pacemaker = Pacemaker::new(BLOCK_TIME, start);
        assert_eq!(pacemaker.next(start + BLOCK_TIME / 20), start + BLOCK_TIME);
    }

    /// Three at one moment, and one that begins 0.9 of a block time before them: each commits when the three do.
    #[test]
    fn an_early_validator_is_pulled_back() {
        let start = Instant::now();
        let mut others = Pacemaker::new(BLOCK_TIME, start + BLOCK_TIME * 9 / 10);
        let mut early = Pacemaker::new(BLOCK_TIME, start);
        let took = BLOCK_TIME / 20;
        for _ in 0..2 {
            let committed = others.started + took;
            let next = (others.next(committed), early.next(committed));
            others.begin(next.0);
            early.begin(next.1);
        }
        assert!(
            others.started.saturating_duration_since(early.started)
                <= BLOCK_TIME / AGREEMENT_ALLOWANCE_DIVISOR
        );
    }
}
