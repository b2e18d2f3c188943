//! Which miners of a task share one reward: groups in which every two answers are alike.
//!
//! *Complete linkage*: the nearest pair of alike answers is joined first, and two groups are joined only if every
//! member of one is alike to every member of the other. With single linkage, which joins what is linked by a chain, an
//! answer half-way between two honest ones would merge them, and one registration would take a third from both. Here
//! it joins the nearer one. So an attacker can share the reward of one miner for each registration, and cannot make two
//! others share that are not alike themselves.

use nervure_protocol::Score;

use crate::{ScoredExpert, mechanism::Fingerprint};

/// A miner's answer, as far as it decides with whom the miner shares.
pub(super) struct Answered<'a> {
    pub(super) expert: &'a ScoredExpert,
    pub(super) quality: Score,
    pub(super) print: &'a Fingerprint,
}

/// The group of each miner, by the position of one of its members. Worthless answers form no groups: all empty answers
/// are alike.
pub(super) fn groups(
    answered: &[Answered<'_>],
    alike: impl Fn(&Fingerprint, &Fingerprint) -> bool,
) -> Vec<usize> {
    let count = answered.len();
    let mut linked = vec![false; count * count];
    let mut pairs = Vec::new();
    let worthy = || answered.iter().enumerate().filter(|(_, one)| one.quality > Score::ZERO);
    for (late, right) in worthy() {
        for (early, left) in worthy().take_while(|(early, _)| *early < late) {
            if alike(left.print, right.print) {
                (linked[early * count + late], linked[late * count + early]) = (true, true);
                let experts = (left.expert.min(right.expert), left.expert.max(right.expert));
                pairs.push((left.print.distance(right.print), experts, (early, late)));
            }
        }
    }
    // The nearest first, and equals by node: the result does not depend on the order of the answers.
    pairs.sort_unstable();
    let mut groups: Vec<usize> = (0..count).collect();
    for (_, _, (early, late)) in pairs {
        let (to, from) = (groups[early], groups[late]);
        let members = |of: usize| groups.iter().enumerate().filter(move |(_, group)| **group == of);
        let complete =
            members(to).all(|(one, _)| members(from).all(|(other, _)| linked[one * count + other]));
        if to != from && complete {
            groups.iter_mut().filter(|group| **group == from).for_each(|group| *group = to);
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use nervure_primitives::{BlockHeight, NodeId};
    use nervure_protocol::ExpertId;

    use super::*;
    use crate::Registration;

    fn expert(number: u8) -> ScoredExpert {
        let neuron = Registration { node: NodeId::from_bytes([number; 32]), block: BlockHeight(1) };
        ScoredExpert { neuron, expert: ExpertId::from_bytes([number; 32]) }
    }

    /// Answers that are numbers, alike if they differ by at most ten.
    fn grouped(numbers: &[i64]) -> Vec<usize> {
        let experts: Vec<ScoredExpert> = (0..numbers.len()).map(|at| expert(at as u8)).collect();
        grouped_as(numbers, &experts)
    }

    fn grouped_as(numbers: &[i64], experts: &[ScoredExpert]) -> Vec<usize> {
        let prints: Vec<_> =
            numbers.iter().map(|number| Fingerprint::new([Some(Box::from([*number]))])).collect();
        let answered: Vec<_> = prints
            .iter()
            .zip(experts)
            .map(|(print, expert)| Answered { expert, quality: Score::ONE, print })
            .collect();
        groups(&answered, |left, right| left.distance(right) <= 10 << 16)
    }

    /// The sizes of the groups, as each miner sees it.
    fn sharers(numbers: &[i64]) -> Vec<usize> {
        let groups = grouped(numbers);
        groups.iter().map(|group| groups.iter().filter(|other| *other == group).count()).collect()
    }

    /// What joined everything that a chain links.
    fn by_chains(numbers: &[i64]) -> usize {
        let mut sorted = numbers.to_vec();
        sorted.sort_unstable();
        1 + sorted.windows(2).filter(|pair| pair[1] - pair[0] > 10).count()
    }

    #[test]
    fn an_answer_between_two_honest_ones_merges_only_the_nearer() {
        assert_eq!(sharers(&[0, 18, 8]), [2, 1, 2]);
        assert_eq!(by_chains(&[0, 18, 8]), 1, "single linkage merges all three");
        assert_eq!(sharers(&[0, 19, 8, 9, 10]), [4, 1, 4, 4, 4], "however many there are");
        assert_eq!(sharers(&[0, 0, 0, 30]), [3, 3, 3, 1]);
    }

    #[test]
    fn worthless_answers_form_no_group() {
        let print = Fingerprint::new([Some(Box::from([1]))]);
        let expert = expert(1);
        let answered = [Score::ZERO, Score::ONE, Score::ZERO, Score::ONE].map(|quality| Answered {
            expert: &expert,
            quality,
            print: &print,
        });
        assert_eq!(groups(&answered, |_, _| true), [0, 1, 2, 1]);
    }

    proptest! {
        #[test]
        fn members_are_alike_each_to_each_and_no_two_groups_could_be_one(numbers in proptest::collection::vec(0i64..60, 0..12)) {
            let groups = grouped(&numbers);
            let near = |a: usize, b: usize| numbers[a].abs_diff(numbers[b]) <= 10;
            let of = |group: usize| (0..numbers.len()).filter(|at| groups[*at] == group).collect::<Vec<_>>();
            for a in 0..numbers.len() {
                for b in 0..numbers.len() {
                    let all = of(groups[a]).into_iter().all(|one| of(groups[b]).into_iter().all(|other| near(one, other)));
                    prop_assert_eq!(all, groups[a] == groups[b], "{:?} {:?}", &numbers, &groups);
                }
            }
        }

        #[test]
        fn the_order_of_answers_does_not_matter(numbers in proptest::collection::vec(0i64..60, 1..12), turn in 0usize..12) {
            let count = numbers.len();
            let nodes: Vec<ScoredExpert> = (0..count).map(|at| expert(at as u8)).collect();
            let turned = |at: usize| (at + turn) % count;
            let after: Vec<i64> = (0..count).map(|at| numbers[turned(at)]).collect();
            let names: Vec<ScoredExpert> = (0..count).map(|at| nodes[turned(at)]).collect();
            let (before, after) = (grouped_as(&numbers, &nodes), grouped_as(&after, &names));
            for a in 0..count {
                for b in 0..count {
                    prop_assert_eq!(before[turned(a)] == before[turned(b)], after[a] == after[b]);
                }
            }
        }
    }
}
