//! Validators that read the live scores of others.

use nervure_primitives::Uid;
use nervure_protocol::Score;

use super::{ATTACKER, Economy, Publication, Row, weight_of};
use crate::world::expert_of;

impl Economy {
    /// The mean of the live scores that the honest validators publish of a miner.
    fn published(&self, miner: usize) -> f64 {
        let by = |index: usize| {
            let neuron = &self.miners[miner];
            let now = self.boards[index].averages_of(neuron).unwrap();
            let score = match self.rules.publication {
                Publication::AtOnce => Some(now.quality),
                Publication::WithWeights => self.publications[index].score(&expert_of(neuron).expert, &now),
            };
            f64::from(score.unwrap_or(Score::ZERO).rounded(32).parts()) / f64::from(u32::MAX)
        };
        (0..usize::from(ATTACKER)).map(by).sum::<f64>() / f64::from(ATTACKER)
    }

    /// The weights that were revealed last, corrected by `part` of what live scores differ from them.
    pub(super) fn corrected(&self, part: f64) -> Row {
        let (seen, power) = (self.seen(), f64::from(self.rules.power));
        let scores: Vec<f64> = (0..self.miners.len()).map(|miner| self.published(miner)).collect();
        let uids: Vec<Uid> = self.miners.iter().map(|miner| self.uid(&miner.node)).collect();
        let said: Vec<f64> =
            uids.iter().map(|uid| f64::from(weight_of(&seen, *uid)).powf(power.recip())).collect();
        // Weights are relative, scores are not.
        let scale = scores.iter().sum::<f64>() / said.iter().sum::<f64>().max(1.0);
        let estimate = |(said, score): (&f64, &f64)| (said * scale * (1.0 - part) + score * part).max(0.0);
        let worth: Vec<f64> =
            said.iter().zip(&scores).map(estimate).map(|estimate| estimate.powf(power)).collect();
        let most = worth.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
        let weight = |worth: &f64| (worth / most * f64::from(u16::MAX)) as u16;
        let mut row: Row = uids.into_iter().zip(worth.iter().map(weight)).filter(|cell| cell.1 > 0).collect();
        row.sort();
        row
    }
}
