//! Notices that no block is committed, and says which voting power is silent.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use nervure_consensus::checkpoint::ValidatorSet;
use nervure_primitives::NodeId;

/// How long a validator commits nothing, beyond three blocks, before it asks others.
const STALL_TIMEOUT: Duration = Duration::from_secs(2);

/// Watches that blocks are committed. A validator may have missed a decision, and validators at a later height ignore
/// its messages; so it asks others when it has committed nothing for a while.
#[derive(Debug)]
pub(super) struct StallMonitor {
    timeout: Duration,
    /// When something was last committed, or others asked because nothing was.
    last_activity: Instant,
    /// Validators that sent messages for this height since it began, or since the last stall.
    heard: BTreeSet<NodeId>,
}

impl StallMonitor {
    /// For blocks at intervals of `block_time`.
    pub(super) fn new(block_time: Duration, now: Instant) -> Self {
        Self { timeout: STALL_TIMEOUT + 3 * block_time, last_activity: now, heard: BTreeSet::new() }
    }

    /// When others are asked unless a block is committed before.
    pub(super) fn deadline(&self) -> Instant {
        self.last_activity + self.timeout
    }

    /// A validator sent a message for this height that is valid.
    pub(super) fn on_message(&mut self, signer: NodeId) {
        self.heard.insert(signer);
    }

    /// A block was committed.
    pub(super) fn on_commit(&mut self, now: Instant) {
        self.last_activity = now;
        self.heard.clear();
    }

    /// The deadline has passed. Returns why no block is made, in words; none when enough of `validators` send messages.
    pub(super) fn on_stall(
        &mut self,
        now: Instant,
        validators: Option<&ValidatorSet>,
        own: NodeId,
    ) -> Option<String> {
        self.last_activity = now;
        let heard = std::mem::take(&mut self.heard);
        let validators = validators?;
        let is_heard = |node: &NodeId| heard.contains(node) || *node == own;
        let members = validators.members().iter();
        let power: u128 =
            members.filter(|member| is_heard(&member.node)).map(|member| u128::from(member.power)).sum();
        let total = u128::from(validators.total_power());
        (power * 3 <= total * 2).then(|| {
            format!(
                "no block is made: validators with {} % of the voting power send messages, including this one, and it \
                 takes more than two thirds; check whether the others run and whether this machine reaches them \
                 (nervure peers)",
                power * 100 / total.max(1)
            )
        })
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
    fn every_commit_and_every_stall_moves_the_deadline() {
        let start = Instant::now();
        let mut monitor = StallMonitor::new(BLOCK_TIME, start);
        let wait = STALL_TIMEOUT + 3 * BLOCK_TIME;
        assert_eq!(monitor.deadline(), start + wait);
        monitor.on_commit(start + BLOCK_TIME);
        assert_eq!(monitor.deadline(), start + BLOCK_TIME + wait);
        monitor.on_stall(start + 9 * BLOCK_TIME, None, node(1));
        assert_eq!(monitor.deadline(), start + 9 * BLOCK_TIME + wait);
    }

    #[test]
    fn it_names_the_power_that_is_heard_until_it_is_more_than_two_thirds() {
        let (now, validators) = (Instant::now(), validators());
        let mut monitor = StallMonitor::new(BLOCK_TIME, now);
        monitor.on_message(node(2));
        let why = monitor.on_stall(now, Some(&validators), node(1)).unwrap();
        assert!(why.contains("50 %"), "{why}");
        let heard = |monitor: &mut StallMonitor| [2, 3].map(|seed| monitor.on_message(node(seed)));
        heard(&mut monitor);
        assert_eq!(monitor.on_stall(now, Some(&validators), node(1)), None);
        heard(&mut monitor);
        monitor.on_commit(now);
        let why = monitor.on_stall(now, Some(&validators), node(1)).unwrap();
        assert!(why.contains("25 %"), "messages of the height before do not count: {why}");
    }
}
