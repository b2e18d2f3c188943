//! The weights that a validator commits, from its moving averages.
//!
//! A weight is proportional to a power of the average reward, and less for neurons with few tasks; the
//! largest is 65,535, and weights that round to 0 are left out.

use nervure_primitives::Uid;

use super::{MovingAverageTable, MovingAverages};
use crate::Registration;
use nervure_protocol::Score;

/// The largest weight.
const MAX_WEIGHT: u64 = u16::MAX as u64;

impl MovingAverageTable {
    /// The weights of the neurons in `slots`; empty when no neuron has an average above 0. In the order of `slots`.
    pub fn weights(&self, slots: impl IntoIterator<Item = (Uid, Registration)>) -> Vec<(Uid, u16)> {
        let worth = |(uid, neuron)| Some((uid, self.worth(self.averages_of(&neuron)?)));
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
        let raised = (0..self.rules.power).fold(Score::ONE, |worth, _| worth.times(averages.reward));
        u64::from(raised.times(known).parts())
    }
}

#[cfg(test)]
mod tests {
    use nervure_primitives::{BlockHeight, NodeId};
    use proptest::prelude::*;

    use super::{super::ScoringRules, *};

    fn neuron(number: u8) -> Registration {
        Registration { node: NodeId::from_bytes([number; 32]), block: BlockHeight(1) }
    }

    fn slots(count: usize) -> Vec<(Uid, Registration)> {
        (0..count as u8).map(|number| (Uid(u16::from(number) + 100), neuron(number))).collect()
    }

    fn board(rules: ScoringRules, scores: &[(Score, u32)]) -> MovingAverageTable {
        let mut board = MovingAverageTable::new(rules).unwrap();
        board.set_registered(slots(scores.len()).into_iter().map(|(_, neuron)| neuron));
        for (number, (score, times)) in scores.iter().enumerate() {
            (0..*times).for_each(|_| assert!(board.record(&neuron(number as u8), *score)));
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
