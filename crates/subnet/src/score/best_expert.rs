//! What a neuron is worth: as much as the best of its experts.
//!
//! A neuron that serves several experts is paid as if it served the best one alone. So an honest node loses nothing with
//! a second, weaker model, and a bad, untested or duplicate expert adds nothing: an expert without tasks has no averages,
//! and a copy is worth what the original is worth.
//!
//! # Hazard
//! The largest of several noisy averages is larger than each true value: a node would gain by serving one model under
//! many names, and having the luckiest of them paid. So luck is taken out: the best expert is chosen by the average over
//! one half of its tasks, and paid by the average over the other half, both ways round. What one half chose by luck is
//! not lucky in the other (the double estimator of H. van Hasselt, "Double Q-learning", 2010).

use nervure_protocol::Score;

use super::MovingAverages;

/// What a neuron with these experts is worth. An expert counts after `ramp` tasks; before that, the one with most tasks.
pub(super) fn of_neuron(experts: impl Iterator<Item = MovingAverages>, ramp: u32) -> MovingAverages {
    let experts: Vec<MovingAverages> = experts.collect();
    let known: Vec<MovingAverages> = experts.iter().copied().filter(|one| one.tasks >= ramp).collect();
    match &known[..] {
        [] => experts.into_iter().max_by_key(|one| one.tasks).unwrap_or_default(),
        [only] => *only,
        several => best_of(several),
    }
}

fn best_of(experts: &[MovingAverages]) -> MovingAverages {
    let best = |by: fn(&MovingAverages) -> Score| experts.iter().copied().max_by_key(by).unwrap_or_default();
    let [odd, even] = [best(|one| one.halves[0]), best(|one| one.halves[1])];
    let halves = [odd.halves[1], even.halves[0]];
    let unshared_halves = [odd.unshared_halves[1], even.unshared_halves[0]];
    MovingAverages {
        quality: Score::mean([odd.quality, even.quality]),
        reward: Score::mean(halves),
        halves,
        unshared: Score::mean(unshared_halves),
        unshared_halves,
        tasks: odd.tasks.min(even.tasks),
        zeros: odd.zeros.min(even.zeros),
        silences: odd.silences.min(even.silences),
    }
}

#[cfg(test)]
mod tests {
    use nervure_primitives::{BlockHeight, NodeId};
    use nervure_protocol::ExpertId;

    use super::*;
    use crate::{
        Dice, Registration, ScoredExpert,
        score::{MovingAverageTable, ScoringRules},
    };

    const NEURON: Registration = Registration { node: NodeId::from_bytes([1; 32]), block: BlockHeight(1) };

    fn expert(number: u8) -> ScoredExpert {
        ScoredExpert { neuron: NEURON, expert: ExpertId::from_bytes([number; 32]) }
    }

    /// The averages of a neuron's experts after `tasks` tasks each; their quality is in percent, and luck moves each
    /// result by up to a tenth.
    fn tested(percents: &[u64], tasks: u32, dice: &mut Dice) -> MovingAverageTable {
        let mut table = MovingAverageTable::new(ScoringRules::default()).unwrap();
        table.set_registered([NEURON]);
        for _ in 0..tasks {
            for (number, percent) in (0u8..).zip(percents) {
                let luck = if *percent == 0 { 0 } else { dice.below(201) };
                let result = Score::ratio((percent * 10 + luck).saturating_sub(100), 1_000);
                assert!(table.record(&expert(number), result));
            }
        }
        table
    }

    /// The mean of what a neuron is worth, in thousandths, over many runs, by `worth`.
    fn mean(percents: &[u64], worth: impl Fn(&MovingAverageTable) -> Score) -> u64 {
        const RUNS: u64 = 300;
        let run = |seed: u64| {
            let table = tested(percents, 40, &mut Dice::new(seed.into()));
            u64::from(worth(&table).parts()) * 1_000 / u64::from(u32::MAX)
        };
        (0..RUNS).map(run).sum::<u64>() / RUNS
    }

    fn defended(table: &MovingAverageTable) -> Score {
        table.averages_of(&NEURON).unwrap().reward
    }

    /// The variant that pays the largest average.
    fn luckiest(table: &MovingAverageTable) -> Score {
        table.iter().map(|(_, averages)| averages.reward).max().unwrap()
    }

    /// The variant that pays the mean of all experts.
    fn mean_of_all(table: &MovingAverageTable) -> Score {
        Score::mean(table.iter().map(|(_, averages)| averages.reward))
    }

    #[test]
    fn bad_and_duplicate_experts_gain_nothing_and_honest_ones_lose_nothing() {
        let alone = mean(&[70], defended);
        let several: [&[u64]; 4] = [&[70, 0], &[70, 0, 0, 0, 0, 0, 0, 0], &[70; 8], &[70, 40, 55]];
        for percents in several {
            let worth = mean(percents, defended);
            assert!(worth.abs_diff(alone) <= 3, "{percents:?}: {worth}, alone {alone}");
        }
    }

    #[test]
    fn without_the_two_halves_eight_names_of_one_model_gain() {
        let alone = mean(&[70], luckiest);
        let gained = mean(&[70; 8], luckiest) - alone;
        assert!(gained >= 10, "the luckiest of eight gains {gained} thousandths");
    }

    #[test]
    fn with_the_mean_an_honest_second_model_costs_its_node() {
        let lost = mean(&[70], mean_of_all) - mean(&[70, 40], mean_of_all);
        assert!(lost >= 100, "it loses {lost} thousandths");
    }

    #[test]
    fn a_new_expert_takes_nothing_from_an_old_one() {
        let mut table = tested(&[90], 40, &mut Dice::new(1.into()));
        let before = table.averages_of(&NEURON).unwrap();
        assert!(table.record(&expert(9), Score::ONE));
        assert_eq!(table.averages_of(&NEURON), Some(before), "one task is too few to count");
    }
}
