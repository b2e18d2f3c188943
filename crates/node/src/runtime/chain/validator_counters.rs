//! What each validator missed, counted by this node.
//!
//! A series for each validator in office and no other: labels are the members of the validator set, of which there are at
//! most 64, and the series of those who leave it are removed.

use std::{collections::BTreeSet, sync::Arc};

use nervure_consensus::checkpoint::{CommitCertificate, ValidatorSet};
use nervure_primitives::NodeId;
use parking_lot::Mutex;
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};

/// A validator, by the key in the set.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    validator: String,
}

impl Labels {
    fn of(node: &NodeId) -> Self {
        Self { validator: node.to_string() }
    }
}

/// Counters of the validators. Clones share the same values.
#[derive(Clone, Debug, Default)]
pub(super) struct ValidatorCounters {
    votes: Family<Labels, Counter>,
    proposals: Family<Labels, Counter>,
    heights: Family<Labels, Gauge>,
    silent: Family<Labels, Gauge>,
    members: Arc<Mutex<BTreeSet<NodeId>>>,
}

impl ValidatorCounters {
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "chain_validator_missed_votes",
            "Blocks since this node started whose certificate, as the next block has it, lacks the validator's precommit",
            self.votes.clone(),
        );
        registry.register(
            "chain_validator_missed_proposals",
            "Rounds since this node started that ended without a block of the validator that was to propose one; on \
             validators only",
            self.proposals.clone(),
        );
        registry.register(
            "chain_validator_missed_heights",
            "Heights of the liveness window that the validator missed, by the ledger; more than half of them jail it",
            self.heights.clone(),
        );
        registry.register(
            "chain_validator_silent_heights",
            "Heights in a row that the validator missed, by the ledger; from 8 on it proposes last",
            self.silent.clone(),
        );
    }

    /// The validators of the next block are `set`: creates the series of new ones, removes those of others.
    pub(super) fn elected(&self, set: &ValidatorSet) {
        let elected: BTreeSet<NodeId> = set.members().iter().map(|member| member.node).collect();
        let mut members = self.members.lock();
        for left in members.difference(&elected) {
            let labels = Labels::of(left);
            self.votes.remove(&labels);
            self.proposals.remove(&labels);
            self.heights.remove(&labels);
            self.silent.remove(&labels);
        }
        for new in elected.difference(&members) {
            let labels = Labels::of(new);
            drop(self.votes.get_or_create(&labels));
            drop(self.proposals.get_or_create(&labels));
            drop(self.heights.get_or_create(&labels));
            drop(self.silent.get_or_create(&labels));
        }
        *members = elected;
    }

    /// A block has this certificate of its parent, which `set` decided.
    pub(super) fn committed(&self, set: &ValidatorSet, certificate: &CommitCertificate) {
        let missing = |member: &NodeId| certificate.signatures.of(member).is_none();
        set.members().iter().map(|member| member.node).filter(missing).for_each(|node| {
            self.count(&self.votes, &node);
        });
    }

    /// A round of `proposer` ended without a block.
    pub(super) fn missed_proposal(&self, proposer: &NodeId) {
        self.count(&self.proposals, proposer);
    }

    /// The ledger's count for a member of the set.
    pub(super) fn liveness(&self, member: &NodeId, heights: u64, silent: u64) {
        if self.members.lock().contains(member) {
            let labels = Labels::of(member);
            let gauge = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
            self.heights.get_or_create(&labels).set(gauge(heights));
            self.silent.get_or_create(&labels).set(gauge(silent));
        }
    }

    fn count(&self, family: &Family<Labels, Counter>, node: &NodeId) {
        // Who left the set in this block has no series any more, and gets none.
        if self.members.lock().contains(node) {
            family.get_or_create(&Labels::of(node)).inc();
        }
    }
}

#[cfg(test)]
mod tests {
    use nervure_primitives::{BlockHeight, Hash, MeshId, NodeKey};
    use prometheus_client::encoding::text::encode;

    use super::*;

    fn key(seed: u8) -> NodeKey {
        NodeKey::from_seed(&[seed; 32])
    }

    fn set(seeds: std::ops::Range<u8>) -> ValidatorSet {
        ValidatorSet::from_stakes(seeds.map(|seed| (key(seed).node_id(), 10))).unwrap()
    }

    fn text(counters: &ValidatorCounters) -> String {
        let (mut registry, mut text) = (Registry::default(), String::new());
        counters.register(&mut registry);
        encode(&mut text, &registry).unwrap();
        text
    }

    #[test]
    fn counts_who_is_missing_in_a_certificate_and_who_did_not_propose() {
        let counters = ValidatorCounters::default();
        let set = set(1..5);
        counters.elected(&set);
        let signers = [1, 2, 4].map(key);
        let decided = (BlockHeight(3), Hash::of("b", &[]));
        let certificate = CommitCertificate::sign(&MeshId::from_bytes([1; 32]), decided, &signers).unwrap();
        (0..2).for_each(|_| counters.committed(&set, &certificate));
        counters.missed_proposal(&key(4).node_id());
        counters.liveness(&key(3).node_id(), 9, 2);
        let text = text(&counters);
        let line = |name: &str, seed: u8, value: u64| {
            let line = format!("chain_validator_{name}{{validator=\"{}\"}} {value}", key(seed).node_id());
            assert!(text.lines().any(|one| one == line), "{line} is missing in\n{text}");
        };
        line("missed_votes_total", 3, 2);
        line("missed_votes_total", 1, 0);
        line("missed_proposals_total", 4, 1);
        line("missed_heights", 3, 9);
        line("silent_heights", 3, 2);
    }

    #[test]
    fn there_is_a_series_for_each_member_of_the_set_and_no_other() {
        let counters = ValidatorCounters::default();
        let series = |text: &str| text.lines().filter(|line| line.contains("validator=")).count();
        for first in 1..40 {
            counters.elected(&set(first..first + 4));
            // Strangers, and those who have left.
            counters.missed_proposal(&key(200).node_id());
            counters.liveness(&key(first - 1).node_id(), 1, 1);
            assert_eq!(series(&text(&counters)), 4 * 4);
        }
    }
}
