//! The weights that a validator commits, from its moving averages.
//!
//! A weight is proportional to the average reward, which copies share, and to a power of what the reward would be if
//! no answers were shared. So the best are paid more than in proportion, and two miners with one model weigh together
//! what one would: a power of the shared reward would leave them half of that, and who copies a miner could take three
//! quarters of its pay. A neuron with few tasks weighs less; the largest weight is 65,535, and weights that round to 0
//! are left out.
//!
//! An expert that answered nothing of its last [`silence`](super::ScoringRules::silence) tasks counts for nothing: an
//! average over twenty tasks would pay a miner that is gone for several epochs. It has its average back with the first
//! task of which it answers a question. What it costs to use this against a miner: to keep it from answering any question
//! of three tasks in a row, of half the validators by stake.

use nervure_primitives::Uid;

use super::{MovingAverageTable, MovingAverages};
use crate::Registration;
use nervure_protocol::Score;

/// The largest weight.
const MAX_WEIGHT: u64 = u16::MAX as u64;

impl MovingAverageTable {
    /// The weights of the neurons in `slots`; empty when no neuron has an average above 0. In the order of `slots`.
    pub fn weights(&self, slots: impl IntoIterator<Item = (Uid, Registration)>) -> Vec<(Uid, u16)> {
        let is_silent = |one: &MovingAverages| one.silences >= u32::from(self.rules.silence);
        // When no expert answers, it is this validator that is cut off: its averages are the best that it knows.
        let is_cut_off = self.iter().all(|(_, averages)| is_silent(&averages));
        let counts = |one: &MovingAverages| is_cut_off || !is_silent(one);
        let worth = |(uid, neuron)| Some((uid, self.worth(self.averages_by(&neuron, counts)?)));
        let worths: Vec<(Uid, u64)> = slots.into_iter().filter_map(worth).collect();
        let most = worths.iter().map(|(_, worth)| *worth).max().unwrap_or(0);
        let weight = |(uid, worth): (Uid, u64)| {
            // Worths have 32 bits, so that this fits.
            let weight = (worth * MAX_WEIGHT + most / 2).checked_div(most)?;
            u16::try_from(weight).ok().filter(|weight| *weight > 0).map(|weight| (uid, weight))
        };
        worths.into_iter().filter_map(weight).collect()
    }

    fn worth(&self, averages: MovingAverages) -> u64 {
        // A newcomer counts in proportion to its tasks: one lucky answer does not pay like a long record.
        let known = Score::ratio(averages.tasks.into(), self.rules.ramp.into());
        // At least the reward: a state that was saved before there were unshared averages has none.
        let unshared = averages.unshared.max(averages.reward);
        let raised = (1..self.rules.power).fold(averages.reward, |worth, _| worth.times(unshared));
        u64::from(raised.times(known).parts())
    }
}

#[cfg(test)]
mod tests {
    use nervure_primitives::{BlockHeight, NodeId};
    use proptest::prelude::*;

    use nervure_protocol::ExpertId;

    use super::{
        super::{ScoringRules, TaskResult},
        *,
    };
    use crate::ScoredExpert;

    fn neuron(number: u8) -> Registration {
        Registration { node: NodeId::from_bytes([number; 32]), block: BlockHeight(1) }
    }

    fn expert(number: u8) -> ScoredExpert {
        ScoredExpert { neuron: neuron(number), expert: ExpertId::from_bytes([number; 32]) }
    }

    fn slots(count: usize) -> Vec<(Uid, Registration)> {
        (0..count as u8).map(|number| (Uid(u16::from(number) + 100), neuron(number))).collect()
    }

    fn board(rules: ScoringRules, scores: &[(Score, u32)]) -> MovingAverageTable {
        let mut board = MovingAverageTable::new(rules).unwrap();
        board.set_registered(slots(scores.len()).into_iter().map(|(_, neuron)| neuron));
        for (number, (score, times)) in scores.iter().enumerate() {
            (0..*times).for_each(|_| assert!(board.record(&expert(number as u8), *score)));
        }
        board
    }

    #[test]
    fn the_best_gets_the_largest_weight_and_zero_gets_none() {
        let half = Score::ratio(1, 2);
        let board =
            board(ScoringRules::default(), &[(Score::ONE, 8), (half, 8), (Score::ZERO, 8), (half, 0)]);
        assert_eq!(board.weights(slots(4)), [(Uid(100), 65_535), (Uid(101), 16_384)]);
        let stranger = Registration { block: BlockHeight(2), ..neuron(0) };
        assert_eq!(board.weights([(Uid(1), stranger)]), []);
    }

    #[test]
    fn one_lucky_answer_weighs_little() {
        let board = board(ScoringRules::default(), &[(Score::ONE, 1), (Score::ratio(9, 10), 30)]);
        let weights = board.weights(slots(2));
        assert!(weights[0].1 < weights[1].1 / 5, "{weights:?}");
    }

    /// The weights of a miner alone, with a copy, and with a worse copy, beside another miner; one task after the other.
    #[test]
    fn a_copy_takes_half_and_both_together_weigh_what_one_did() {
        let whole = TaskResult::from(Score::ratio(8, 10));
        let half = TaskResult { sharers: 2, ..whole };
        let weights = |results: &[TaskResult], power| {
            let rules = ScoringRules { power, ..ScoringRules::default() };
            let mut board = MovingAverageTable::new(rules).unwrap();
            board.set_registered(slots(results.len()).into_iter().map(|(_, neuron)| neuron));
            for (number, result) in results.iter().enumerate() {
                (0..30).for_each(|_| assert!(board.record(&expert(number as u8), *result)));
            }
            board
                .weights(slots(results.len()))
                .into_iter()
                .map(|(_, weight)| f64::from(weight))
                .collect::<Vec<_>>()
        };
        for power in 1..=4 {
            let shared = weights(&[whole, half, half], power);
            assert!((shared[1] / shared[0] - 0.5).abs() < 0.001, "{power}: {shared:?}");
            // The square of the shared reward left them a quarter each.
            assert!((shared[1] + shared[2]) / shared[0] > 0.999);
        }
    }

    /// The weights of three miners with equal records, of which the first answers nothing of its last tasks and the second
    /// one answers them wrongly.
    fn with_a_silent_one(rules: ScoringRules, last: u32) -> [u16; 3] {
        let mut board = board(rules, &[(Score::ONE, 30); 3]);
        for _ in 0..last {
            let silent = TaskResult { is_silent: true, ..TaskResult::from(Score::ZERO) };
            assert!(board.record(&expert(0), silent) && board.record(&expert(1), Score::ZERO));
            assert!(board.record(&expert(2), Score::ONE));
        }
        let weights = board.weights(slots(3));
        [100, 101, 102].map(|uid| weights.iter().find(|(at, _)| at.0 == uid).map_or(0, |(_, weight)| *weight))
    }

    #[test]
    fn three_tasks_without_an_answer_are_no_weight_and_one_answer_is_enough_to_return() {
        let rules = ScoringRules::default();
        let two = with_a_silent_one(rules, 2);
        assert!(two[0] == two[1] && two[0] > 50_000, "{two:?}");
        let three = with_a_silent_one(rules, 3);
        assert!(three[0] == 0 && three[1] > 45_000, "wrong answers are not silence: {three:?}");
        // The variant without the rule: after three more epochs of five tasks it still earns.
        let without = with_a_silent_one(ScoringRules { silence: 1_000, ..rules }, 15);
        assert!(without[0] > 10_000, "{without:?}");

        let mut board = board(rules, &[(Score::ONE, 30); 2]);
        let silent = TaskResult { is_silent: true, ..TaskResult::from(Score::ZERO) };
        (0..5).for_each(|_| assert!(board.record(&expert(0), silent)));
        assert_eq!(board.weights(slots(2)).len(), 1);
        assert!(board.record(&expert(0), Score::ONE));
        let back = board.weights(slots(2));
        assert!(back.len() == 2 && back[0].1 > 35_000, "{back:?}");
    }

    #[test]
    fn a_silent_expert_does_not_silence_its_neighbour() {
        let mut board = board(ScoringRules::default(), &[(Score::ONE, 30); 2]);
        let second = ScoredExpert { expert: ExpertId::from_bytes([9; 32]), ..expert(0) };
        let silent = TaskResult { is_silent: true, ..TaskResult::from(Score::ZERO) };
        for _ in 0..10 {
            assert!(board.record(&expert(0), silent) && board.record(&second, Score::ratio(1, 2)));
        }
        assert_eq!(board.weights(slots(2)), [(Uid(100), 16_384), (Uid(101), 65_535)]);
    }

    #[test]
    fn a_validator_that_hears_no_one_keeps_its_weights() {
        let mut board = board(ScoringRules::default(), &[(Score::ONE, 30), (Score::ratio(1, 2), 30)]);
        let before = board.weights(slots(2));
        let silent = TaskResult { is_silent: true, ..TaskResult::from(Score::ZERO) };
        for _ in 0..4 {
            assert!(board.record(&expert(0), silent) && board.record(&expert(1), silent));
        }
        let after = board.weights(slots(2));
        assert_eq!((after.len(), before[0]), (2, after[0]));
        assert!(after[1].1.abs_diff(before[1].1) < 10, "{before:?} {after:?}");
    }

    #[test]
    fn weights_are_empty_without_scores() {
        assert_eq!(board(ScoringRules::default(), &[(Score::ZERO, 9); 3]).weights(slots(3)), []);
        assert_eq!(board(ScoringRules::default(), &[]).weights(slots(0)), []);
    }

    proptest! {
        #[test]
        fn a_better_neuron_never_weighs_less(scores in proptest::collection::vec((any::<u32>(), 1u32..12), 1..8), power in 1u8..=8) {
            let rules = ScoringRules { power, ..ScoringRules::default() };
            let scores: Vec<_> = scores.into_iter().map(|(score, times)| (Score::from_parts(score), times)).collect();
            let board = board(rules, &scores);
            let weights = board.weights(slots(scores.len()));
            let weight = |at: usize| weights.iter().find(|(uid, _)| uid.0 == at as u16 + 100).map_or(0, |(_, w)| *w);
            prop_assert!(weights.iter().all(|(_, weight)| *weight > 0));
            prop_assert!(weights.is_empty() || weights.iter().any(|(_, weight)| *weight == u16::MAX));
            for a in 0..scores.len() {
                for b in 0..scores.len() {
                    if scores[a].0 > scores[b].0 && scores[a].1.min(8) >= scores[b].1.min(8) {
                        // A mean of equal scores may have lost a part per step to rounding.
                        prop_assert!(weight(a).saturating_add(1) >= weight(b));
                    }
                }
            }
        }
    }
}
