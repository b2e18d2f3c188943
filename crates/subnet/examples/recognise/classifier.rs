//! Logistic regression on sparse binary features, trained by stochastic gradient descent.

use nervure_subnet::Dice;

/// Weights, by the hash of a feature.
const DIMENSIONS: usize = 1 << 18;

/// Passes over the training rows, and the step of the first one.
const PASSES: usize = 12;
const STEP: f64 = 0.2;

/// Decay of a weight with each row that has its feature.
const DECAY: f64 = 1e-4;

/// One query: the hashes of its features, and whether it was a task.
pub(crate) struct Row {
    pub(crate) features: Vec<u64>,
    pub(crate) is_task: bool,
}

pub(crate) struct Classifier {
    weights: Vec<f64>,
    bias: f64,
}

impl Classifier {
    /// Trains on `rows` in orders that `dice` draws.
    pub(crate) fn train(rows: &[Row], dice: &mut Dice) -> Self {
        let mut trained = Self { weights: vec![0.0; DIMENSIONS], bias: 0.0 };
        let mut order: Vec<usize> = (0..rows.len()).collect();
        for pass in 0..PASSES {
            dice.shuffle(&mut order);
            let step = STEP / (1.0 + pass as f64);
            for at in &order {
                trained.learn(&rows[*at], step);
            }
        }
        trained
    }

    fn learn(&mut self, row: &Row, step: f64) {
        let target = if row.is_task { 1.0 } else { 0.0 };
        let error = target - 1.0 / (1.0 + (-self.of(row)).exp());
        // A row of many features moves as far as one of few.
        let step = step * error / (row.features.len().max(1) as f64).sqrt();
        self.bias += step;
        for feature in &row.features {
            let weight = &mut self.weights[place(*feature)];
            *weight += step - DECAY * *weight;
        }
    }

    /// The logarithm of the odds that it is a task.
    fn of(&self, row: &Row) -> f64 {
        let sum: f64 = row.features.iter().map(|feature| self.weights[place(*feature)]).sum();
        self.bias + sum / (row.features.len().max(1) as f64).sqrt()
    }

    /// The part of all pairs of a task and another query that is ranked right; ties count half.
    pub(crate) fn auc(&self, rows: &[Row]) -> f64 {
        let mut scored: Vec<(f64, bool)> = rows.iter().map(|row| (self.of(row), row.is_task)).collect();
        scored.sort_by(|left, right| left.0.total_cmp(&right.0));
        // The mean rank of the tasks, with equal scores sharing theirs (Mann and Whitney).
        let (mut ranks, mut tasks, mut at) = (0.0, 0usize, 0);
        while at < scored.len() {
            let end = (at..scored.len()).find(|end| scored[*end].0 != scored[at].0).unwrap_or(scored.len());
            let here = scored[at..end].iter().filter(|(_, is_task)| *is_task).count();
            ranks += here as f64 * ((at + end + 1) as f64 / 2.0);
            tasks += here;
            at = end;
        }
        let others = scored.len() - tasks;
        let pairs = (tasks * others) as f64;
        if pairs == 0.0 { 0.5 } else { (ranks - (tasks * (tasks + 1)) as f64 / 2.0) / pairs }
    }
}

fn place(feature: u64) -> usize {
    (feature % DIMENSIONS as u64) as usize
}
