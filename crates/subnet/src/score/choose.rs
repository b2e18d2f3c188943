//! Which experts a validator tests in a round.
//!
//! A neuron's experts are all tested, up to [`MAX_EXPERTS_PER_ROUND`]; of more, that many are drawn: half of them those
//! with the fewest tasks, so that none stays untested, and half by their quality. The gate sends questions where the
//! quality is, so a draw by quality tests an expert about as often, relative to its neighbours, as users ask it. The
//! bound keeps a node from multiplying the validators' work, and with it from taking the tests of other nodes.

use std::collections::BTreeMap;

use nervure_protocol::Score;

use super::MovingAverages;
use crate::{Dice, Registration, ScoredExpert};

/// Maximum number of a neuron's experts that are tested in one round.
pub const MAX_EXPERTS_PER_ROUND: usize = 4;

/// The weight in the draw of an expert with a quality of 0, beside that of one with a quality of 1: 1/16.
const MIN_WEIGHT: u64 = 1 << 28;

/// Draws the experts to test of those that are advertised, each with its averages. The result is in the order of
/// seats: each neuron's first expert, then each one's second, and so on; within, by lot.
pub fn choose_experts(
    advertised: impl IntoIterator<Item = (ScoredExpert, MovingAverages)>,
    dice: &mut Dice,
) -> Vec<ScoredExpert> {
    let mut neurons = BTreeMap::<Registration, Vec<(ScoredExpert, MovingAverages)>>::new();
    for one in advertised {
        neurons.entry(one.0.neuron).or_default().push(one);
    }
    let mut seats = Vec::new();
    for experts in neurons.into_values() {
        seats.extend(of_neuron(experts, dice).into_iter().enumerate());
    }
    dice.shuffle(&mut seats);
    // Stable: the lot decides within a row of seats.
    seats.sort_by_key(|(seat, _)| *seat);
    seats.into_iter().map(|(_, expert)| expert).collect()
}

/// The experts of one neuron to test.
fn of_neuron(mut experts: Vec<(ScoredExpert, MovingAverages)>, dice: &mut Dice) -> Vec<ScoredExpert> {
    dice.shuffle(&mut experts);
    if experts.len() <= MAX_EXPERTS_PER_ROUND {
        return experts.into_iter().map(|(expert, _)| expert).collect();
    }
    experts.sort_by_key(|(_, averages)| averages.tasks);
    let mut rest = experts.split_off(MAX_EXPERTS_PER_ROUND / 2);
    while experts.len() < MAX_EXPERTS_PER_ROUND {
        let Some(at) = by_quality(&rest, dice) else { break };
        experts.push(rest.swap_remove(at));
    }
    experts.into_iter().map(|(expert, _)| expert).collect()
}

/// One of `experts`, by lot with the quality as its weight.
fn by_quality(experts: &[(ScoredExpert, MovingAverages)], dice: &mut Dice) -> Option<usize> {
    let weight = |quality: Score| u64::from(quality.parts()) + MIN_WEIGHT;
    let total: u64 = experts.iter().map(|(_, averages)| weight(averages.quality)).sum();
    if total == 0 {
        return None;
    }
    let mut left = dice.below(total);
    experts.iter().position(|(_, averages)| {
        let own = weight(averages.quality);
        let hit = left < own;
        left = left.saturating_sub(own);
        hit
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use nervure_primitives::BlockHeight;
    use nervure_protocol::{ExpertId, testing::key};

    use super::*;

    /// Experts of a neuron; the first of them is good, and all were tested equally often.
    fn experts(node: u8, count: u8) -> Vec<(ScoredExpert, MovingAverages)> {
        let neuron = Registration { node: key(node).node_id(), block: BlockHeight(1) };
        let expert = |number| {
            let quality = if number == 0 { Score::ONE } else { Score::ZERO };
            let averages = MovingAverages { quality, tasks: 50, ..MovingAverages::default() };
            (ScoredExpert { neuron, expert: ExpertId::from_bytes([number; 32]) }, averages)
        };
        (0..count).map(expert).collect()
    }

    #[test]
    fn every_expert_of_a_neuron_with_few_is_tested() {
        let all = [experts(1, 4), experts(2, 1)].concat();
        let chosen = choose_experts(all.clone(), &mut Dice::new(1.into()));
        assert_eq!(chosen.len(), 5);
        assert_eq!(chosen.iter().collect::<BTreeSet<_>>(), all.iter().map(|(expert, _)| expert).collect());
    }

    #[test]
    fn a_neuron_with_many_gets_no_more_tests_and_no_seat_before_others() {
        let all = [experts(1, 32), experts(2, 1), experts(3, 1)].concat();
        let chosen = choose_experts(all, &mut Dice::new(1.into()));
        assert_eq!(chosen.len(), MAX_EXPERTS_PER_ROUND + 2);
        let first: BTreeSet<_> = chosen[..3].iter().map(|expert| expert.neuron).collect();
        assert_eq!(first.len(), 3, "one seat each comes first");
    }

    #[test]
    fn what_users_ask_is_tested_more_often_and_nothing_stays_untested() {
        let mut tests = BTreeMap::<ScoredExpert, u32>::new();
        let mut dice = Dice::new(1.into());
        for _ in 0..200 {
            let now = experts(1, 32).into_iter().map(|(expert, averages)| {
                let tasks = tests.get(&expert).copied().unwrap_or(0);
                (expert, MovingAverages { tasks, ..averages })
            });
            for expert in choose_experts(now.collect::<Vec<_>>(), &mut dice) {
                *tests.entry(expert).or_default() += 1;
            }
        }
        let good = tests[&experts(1, 1)[0].0];
        let others: Vec<_> = tests.values().copied().filter(|count| *count != good).collect();
        assert_eq!(tests.len(), 32);
        assert!(others.iter().all(|count| *count >= 8), "{others:?}");
        assert!(good >= 4 * others.iter().sum::<u32>() / 31, "{good} of {others:?}");
    }
}
