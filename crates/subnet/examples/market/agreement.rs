//! Whether miners earn by what users get from them: Spearman's rank correlation between incentive and users' quality.

use std::collections::BTreeMap;

use nervure_subnet::Registration;

/// Epochs of a registration that are not counted, in which validators meet a miner for the first time.
const SETTLING: u64 = 5;

/// Fewest epochs of a miner that is counted.
const MIN_EPOCHS: u64 = 10;

/// Incentives below this part of the mean are none: which of the worthless earn next to nothing and which nothing is luck.
const LEAST: f64 = 0.01;

/// The means of one registration.
#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    incentive: f64,
    worth: f64,
    epochs: u64,
}

/// What each registration earned, and what users got from it.
#[derive(Debug, Default)]
pub(crate) struct Agreement {
    now: BTreeMap<Registration, Sums>,
    finished: Vec<Sums>,
}

impl Agreement {
    /// An epoch of a miner that was registered `age` epochs ago: its incentive, and the worth of an answer to a user
    /// who asked it.
    pub(crate) fn add(&mut self, (miner, age): (Registration, u64), incentive: u16, worth: f64) {
        if age < SETTLING {
            return;
        }
        let sums = self.now.entry(miner).or_default();
        sums.incentive += f64::from(incentive);
        sums.worth += worth;
        sums.epochs += 1;
    }

    /// A registration has ended.
    pub(crate) fn left(&mut self, miner: &Registration) {
        self.finished.extend(self.now.remove(miner));
    }

    /// The rank correlation of the means of all registrations.
    pub(crate) fn correlation(&self) -> f64 {
        let all = || self.finished.iter().chain(self.now.values()).filter(|sums| sums.epochs >= MIN_EPOCHS);
        let mean = |of: fn(&Sums) -> f64| all().map(|sums| of(sums) / sums.epochs as f64).collect::<Vec<_>>();
        let incentive = mean(|sums| sums.incentive);
        let least = LEAST * incentive.iter().sum::<f64>() / incentive.len().max(1) as f64;
        let incentive: Vec<f64> =
            incentive.into_iter().map(|one| if one < least { 0.0 } else { one }).collect();
        spearman(&incentive, &mean(|sums| sums.worth))
    }
}

/// The correlation of the ranks.
pub(crate) fn spearman(left: &[f64], right: &[f64]) -> f64 {
    let (left, right) = (ranks(left), ranks(right));
    let mean = (left.len() as f64 - 1.0) / 2.0;
    let product = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| (a - mean) * (b - mean)).sum::<f64>();
    product(&left, &right) / (product(&left, &left) * product(&right, &right)).sqrt()
}

/// The rank of each value; equal values have the mean of their ranks.
fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|a, b| values[*a].total_cmp(&values[*b]));
    let mut ranks = vec![0.0; values.len()];
    let mut from = 0;
    while from < order.len() {
        let equal = order[from..].iter().take_while(|at| values[**at] == values[order[from]]).count();
        let rank = from as f64 + (equal as f64 - 1.0) / 2.0;
        order[from..from + equal].iter().for_each(|at| ranks[*at] = rank);
        from += equal;
    }
    ranks
}
