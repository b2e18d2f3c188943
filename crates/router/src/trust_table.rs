//! The trust in each expert, from what is known of its subnet, its neuron and itself.
//!
//! Incentives are finalised for neurons, live scores are gossiped for experts. Once live scores of validators with half of
//! a subnet's stake are known, only experts with one have any trust: the neuron's incentive says nothing about the others.
//!
//! # Hazard
//! A node that has just joined has heard no live scores. Until then each of a neuron's experts gets an equal share of its
//! incentive: a neuron with one expert has what it earned, and one that shows a second gains nothing by it.

use std::collections::BTreeMap;

use nervure_primitives::{BlockHeight, Netuid, NodeId};
use nervure_protocol::{ExpertId, ExpertRecord, Score};
use nervure_subnet::{Trust, score::MedianScore};

/// What is known of the experts of all subnets.
#[derive(Debug, Clone, Default)]
pub struct TrustTable {
    subnets: BTreeMap<Netuid, SubnetTrust>,
}

/// What is known of a subnet's experts.
#[derive(Debug, Clone, Default)]
pub struct SubnetTrust {
    /// How much the stake behind the subnet counts outside of it.
    pub backing: Score,
    /// Whether live scores of validators with half of this subnet's stake are known.
    pub has_live_scores: bool,
    /// The neurons.
    pub neurons: BTreeMap<NodeId, NeuronTrust>,
    /// The medians of the experts with live scores.
    pub experts: BTreeMap<ExpertId, MedianScore>,
}

/// What is known of a neuron.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NeuronTrust {
    /// The block of its registration.
    pub registered: BlockHeight,
    /// Its incentive at the last checkpoint, as a part of the subnet's largest; none before the subnet's first epoch.
    pub incentive: Option<Score>,
}

impl FromIterator<(Netuid, SubnetTrust)> for TrustTable {
    fn from_iter<T: IntoIterator<Item = (Netuid, SubnetTrust)>>(subnets: T) -> Self {
        Self { subnets: subnets.into_iter().collect() }
    }
}

impl TrustTable {
    /// The trust in the expert of `record`, whose node advertises `experts` in the record's subnet.
    pub fn of(&self, record: &ExpertRecord, experts: impl FnOnce() -> usize) -> Trust {
        let Some(subnet) = self.subnets.get(&record.netuid) else {
            return Trust { backing: Score::ZERO, ..Trust::default() };
        };
        let untested = Trust { backing: subnet.backing, ..Trust::default() };
        let Some(neuron) = subnet.neurons.get(&record.node) else { return untested };
        if !subnet.has_live_scores {
            return Trust { incentive: neuron.incentive.map(|all| all.shared(experts())), ..untested };
        }
        let live_score = subnet.experts.get(&ExpertId::of(record, neuron.registered)).copied();
        let incentive = neuron.incentive.filter(|_| live_score.is_some());
        Trust { incentive, live_score, ..untested }
    }
}

#[cfg(test)]
mod tests {
    use nervure_protocol::testing::record;

    use super::*;

    const REGISTERED: BlockHeight = BlockHeight(5);

    /// A neuron with the largest incentive, whose expert `a` has a live score of 1 after many tasks.
    fn table(has_live_scores: bool) -> TrustTable {
        let a = record(1, "a", "text.generate");
        let neuron = NeuronTrust { registered: REGISTERED, incentive: Some(Score::ONE) };
        let tested = (ExpertId::of(&a, REGISTERED), MedianScore { score: Score::ONE, tasks: 99 });
        let subnet = SubnetTrust {
            backing: Score::ONE,
            has_live_scores,
            neurons: BTreeMap::from([(a.node, neuron)]),
            experts: if has_live_scores { BTreeMap::from([tested]) } else { BTreeMap::new() },
        };
        [(a.netuid, subnet)].into_iter().collect()
    }

    #[test]
    fn a_second_expert_of_a_good_node_has_no_trust_of_it() {
        let (a, b) = (record(1, "a", "text.generate"), record(1, "b", "text.generate"));
        assert_eq!(table(true).of(&a, || 2).quality(), Score::ONE);
        assert_eq!(table(true).of(&b, || 2).quality(), Score::ZERO);
        assert!(table(true).of(&b, || 2).is_newcomer());
        let mut swapped = a;
        swapped.model = "another".into();
        assert_eq!(
            table(true).of(&swapped, || 2).quality(),
            Score::ZERO,
            "another model behind a tested name"
        );
    }

    /// A miner is tested with good weights, and serves worse ones under the same name and model afterwards.
    #[test]
    fn other_weights_behind_a_tested_name_are_an_untested_expert() {
        let stated = |digest: &str| {
            let mut record = record(1, "a", "text.generate");
            record.identity.digest = Some(digest.into());
            record
        };
        let trust_in = |record: &ExpertRecord, tested: &ExpertRecord| {
            let mut table = table(true);
            let score = MedianScore { score: Score::ONE, tasks: 99 };
            let experts = &mut table.subnets.get_mut(&tested.netuid).unwrap().experts;
            experts.insert(ExpertId::of(tested, REGISTERED), score);
            table.of(record, || 1)
        };
        let (before, after) = (stated("sha256:00"), stated("sha256:01"));
        assert_eq!(trust_in(&before, &before).quality(), Score::ONE);
        let swapped = trust_in(&after, &before);
        assert!(swapped.quality() == Score::ZERO && swapped.is_newcomer(), "{swapped:?}");
        // The variant in which an expert is its name and its model, whatever is stated: the swapped weights are trusted.
        let by_name = |record: &ExpertRecord| ExpertRecord { identity: Default::default(), ..record.clone() };
        assert_eq!(trust_in(&by_name(&after), &by_name(&before)).quality(), Score::ONE);
    }

    #[test]
    fn before_live_scores_are_known_a_neurons_experts_share_its_incentive() {
        let (a, b) = (record(1, "a", "text.generate"), record(1, "b", "text.generate"));
        assert_eq!(table(false).of(&a, || 1).quality(), Score::ONE);
        assert_eq!(table(false).of(&b, || 2).quality(), Score::ONE.shared(2));
    }

    #[test]
    fn an_unknown_subnet_has_no_backing() {
        let mut elsewhere = record(1, "a", "text.generate");
        elsewhere.netuid = Netuid(9);
        assert_eq!(table(true).of(&elsewhere, || 1).backing, Score::ZERO);
        assert_eq!(table(true).of(&record(2, "a", "text"), || 1).quality(), Score::ZERO, "an unknown node");
    }
}
