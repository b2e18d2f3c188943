//! Which miners answered alike in many tasks: they share one reward also where a task has only one of them.
//!
//! A task has at most 64 miners. In a subnet with more, a copier and its victim are seldom in the same task, and sharing
//! within a task alone would cost the copier a quarter of its due. So a validator counts, for each pair that was once in
//! one [group](super::evaluate), the common tasks and those in which the two were in one group. A pair with at least four
//! of the latter, and a quarter of the former, is taken for one model at that rate in all tasks.
//!
//! A miner's sharers are one and the sum of its rates, plus a quarter, rounded down: so a single pair counts from three
//! quarters of its tasks on. Two honest models that are alike by chance in a part `p` of their tasks count for one
//! another only if that happens in four of five tasks in a row at least: at most `4 p^3` of all pairs that are ever alike
//! (for `p` = 1 %, four in a million). A miner that copies two others in turn has the rates of both, and shares; each of
//! the two has half a rate and loses nothing outside of the common tasks.
//!
//! # Hazards
//! * A miner that copies five or more others in turn is below every rate. It shares in the tasks that it has in common
//!   with the one that it copies.
//! * The table is in memory: after a restart, pairs are learnt again.

use std::collections::BTreeMap;

use nervure_primitives::NodeId;
use nervure_protocol::Score;

use super::MinerResult;

/// Upper bound for pairs; further ones are not counted until others are forgotten.
const MAX_PAIRS: usize = 4096;

/// Tasks in one group that make a pair.
const MIN_ALIKE: u32 = 4;

/// A pair's rate counts from one in this many common tasks on.
const MIN_RATE: u32 = 4;

/// Common tasks after which both counts are halved, so that what a miner did long ago is forgotten.
const MEMORY: u32 = 64;

/// The unit of rates.
const ONE: u64 = 1 << 16;

/// The pairs of miners of one subnet that were once in one group.
#[derive(Clone, Debug, Default)]
pub struct CopyTable {
    pairs: BTreeMap<(NodeId, NodeId), Pair>,
}

/// Counted since the pair was first alike.
#[derive(Clone, Copy, Debug, Default)]
struct Pair {
    common: u32,
    alike: u32,
}

impl Pair {
    /// The part of common tasks in which the two were alike, in 2^-16; 0 while it says little.
    fn rate(self) -> u64 {
        if self.alike < MIN_ALIKE || self.alike * MIN_RATE < self.common {
            return 0;
        }
        u64::from(self.alike) * ONE / u64::from(self.common)
    }
}

impl CopyTable {
    /// Counts the results of a task, and gives each miner at least the sharers that earlier tasks found.
    pub fn settle(&mut self, results: &mut [MinerResult]) {
        self.count(results);
        let mut rates = BTreeMap::<&NodeId, u64>::new();
        for ((left, right), pair) in &self.pairs {
            let rate = pair.rate();
            if rate > 0 {
                *rates.entry(left).or_default() += rate;
                *rates.entry(right).or_default() += rate;
            }
        }
        for one in results.iter_mut().filter(|one| one.result.quality > Score::ZERO) {
            let rates = rates.get(&one.expert.neuron.node).copied().unwrap_or(0);
            let sharers = usize::try_from((ONE + rates + ONE / 4) / ONE).unwrap_or(usize::MAX);
            one.result.sharers = one.result.sharers.max(sharers);
        }
    }

    /// Forgets pairs with a miner that is no longer registered.
    pub fn retain(&mut self, registered: impl Fn(&NodeId) -> bool) {
        self.pairs.retain(|(left, right), _| registered(left) && registered(right));
    }

    fn count(&mut self, results: &[MinerResult]) {
        let worthy = |one: &&MinerResult| one.result.quality > Score::ZERO;
        for (at, right) in results.iter().enumerate().filter(|(_, one)| worthy(one)) {
            // Two experts of one node do not share with each other.
            let others = |left: &&MinerResult| left.expert.neuron.node != right.expert.neuron.node;
            for left in results[..at].iter().filter(worthy).filter(others) {
                let nodes = (left.expert.neuron.node, right.expert.neuron.node);
                let pair = (nodes.0.min(nodes.1), nodes.0.max(nodes.1));
                let alike = left.group == right.group;
                if alike && self.pairs.len() < MAX_PAIRS {
                    self.pairs.entry(pair).or_default();
                }
                let Some(pair) = self.pairs.get_mut(&pair) else { continue };
                if pair.common >= MEMORY {
                    *pair = Pair { common: pair.common / 2, alike: pair.alike / 2 };
                }
                pair.common += 1;
                pair.alike += u32::from(alike);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use nervure_primitives::BlockHeight;
    use nervure_protocol::ExpertId;

    use super::*;
    use crate::{Registration, ScoredExpert, score::TaskResult};

    fn node(number: u8) -> NodeId {
        NodeId::from_bytes([number; 32])
    }

    fn expert(number: u8) -> ScoredExpert {
        let neuron = Registration { node: node(number), block: BlockHeight(1) };
        ScoredExpert { neuron, expert: ExpertId::from_bytes([number; 32]) }
    }

    /// A task of these miners, each with the group that it is in. Returns their sharers.
    fn task(table: &mut CopyTable, miners: &[(u8, u8)]) -> Vec<usize> {
        let sharers = |group: u8| miners.iter().filter(|(_, other)| *other == group).count();
        let mut results: Vec<MinerResult> = miners
            .iter()
            .map(|(number, group)| MinerResult {
                expert: expert(*number),
                group: expert(*group),
                result: TaskResult { sharers: sharers(*group), ..TaskResult::from(Score::ONE) },
            })
            .collect();
        table.settle(&mut results);
        results.iter().map(|one| one.result.sharers).collect()
    }

    #[test]
    fn a_pair_shares_also_when_a_task_has_one_of_the_two() {
        let mut table = CopyTable::default();
        assert_eq!(task(&mut table, &[(2, 2)]), [1]);
        for _ in 0..4 {
            assert_eq!(task(&mut table, &[(1, 1), (2, 1), (3, 3)]), [2, 2, 1]);
        }
        assert_eq!(task(&mut table, &[(2, 2), (3, 3)]), [2, 1]);
        table.retain(|one| *one != node(1));
        assert_eq!(task(&mut table, &[(2, 2)]), [1], "the other one is gone");
    }

    #[test]
    fn chance_makes_no_pair() {
        let mut table = CopyTable::default();
        for number in 0..60 {
            let group = if number % 3 == 0 { 1 } else { 2 };
            task(&mut table, &[(1, 1), (2, group)]);
        }
        assert_eq!(task(&mut table, &[(1, 1)]), [1], "a third of the tasks is no three quarters");
    }

    #[test]
    fn who_copies_two_in_turn_shares_and_neither_of_them_loses() {
        let mut table = CopyTable::default();
        for number in 0..20 {
            task(&mut table, &[(1, 1), (2, 2), (3, 1 + number % 2)]);
        }
        let alone = [1, 2, 3].map(|miner| task(&mut table, &[(miner, miner)])[0]);
        assert_eq!(alone, [1, 1, 2]);
    }

    #[test]
    fn what_is_long_ago_is_forgotten_and_the_table_is_bounded() {
        let mut table = CopyTable::default();
        (0..200).for_each(|_| drop(task(&mut table, &[(1, 1), (2, 1)])));
        (0..70).for_each(|_| drop(task(&mut table, &[(1, 1), (2, 2)])));
        assert_eq!(task(&mut table, &[(1, 1)]), [1]);
        let all: Vec<(u8, u8)> = (0..64).map(|number| (number, 0)).collect();
        let others: Vec<(u8, u8)> = (64..128).map(|number| (number, 64)).collect();
        let rest: Vec<(u8, u8)> = (128..192).map(|number| (number, 128)).collect();
        for miners in [&all, &others, &rest] {
            task(&mut table, miners);
        }
        assert_eq!(table.pairs.len(), MAX_PAIRS);
    }
}
