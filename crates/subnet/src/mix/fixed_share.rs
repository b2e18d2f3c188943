//! Gate weights that follow the text: the Fixed-Share forecaster.
//!
//! Each byte, every weight is multiplied by the probability that its expert gave to the byte that came, and then a
//! fixed share of all weight is spread evenly, so that an expert that was wrong for long can come back quickly when
//! the text changes.
//!
//! # Source and bound
//! M. Herbster, M. Warmuth, "Tracking the Best Expert", Machine Learning 32 (1998); without sharing it is Hedge (Y.
//! Freund, R. Schapire, 1997) with logarithmic loss and learning rate 1, which is Bayes' rule. Against any sequence
//! of experts that changes `m` times in `T` bytes, the mixture spends at most
//!
//! ```text
//! -ln(prior of the first) + m ln(N / share) + (T - 1 - m) ln(1 / (1 - share + share / N))
//! ```
//!
//! nats more on the whole text, whatever the text and however the experts behave. An expert that gave no distribution
//! for a byte is treated as if it had given the mixture of the others (Y. Freund, R. Schapire, Y. Singer, M.
//! Warmuth, "Using and Combining Predictors that Specialize", 1997): it neither wins nor loses.
//!
//! No weight falls below `share / N`: this bounds the influence of an expert that is always wrong.

/// Maximum number of experts of one mixture.
pub const MAX_EXPERTS: usize = 16;

/// Default part of all weight that is spread at each byte: the best expert is assumed to change about every 64 bytes.
const DEFAULT_SHARE: f64 = 1.0 / 64.0;

/// The largest share that makes sense: half forgets everything at once.
const MAX_SHARE: f64 = 0.5;

/// Weights of experts, adapted byte by byte. Invariant: at least one, none below `share / N`, their sum 1 but for
/// rounding.
///
/// ```
/// use nervure_subnet::mix::FixedShare;
///
/// let mut mixture = FixedShare::new(&[1.0, 1.0]).ok_or("no experts")?;
/// for _ in 0..20 {
///     // The first expert expected the byte that came, the second did not.
///     mixture.update(&[Some(0.9), Some(0.1)]);
/// }
/// assert!(mixture.weights()[0] > 0.95);
/// # Ok::<(), &str>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct FixedShare {
    weights: Vec<f64>,
    share: f64,
}

impl FixedShare {
    /// Weights that start at `prior`, which need not sum to 1. A prior that is not finite or not above 0 counts as 0;
    /// if all are 0, all experts start equal. `None` for no experts or more than [`MAX_EXPERTS`].
    pub fn new(prior: &[f64]) -> Option<Self> {
        if !(1..=MAX_EXPERTS).contains(&prior.len()) {
            return None;
        }
        let most = prior.iter().copied().filter(|p| p.is_finite()).fold(0.0, f64::max);
        // Divided by the largest first: the sum of large finite priors would be infinite.
        let scaled = |p: &f64| if p.is_finite() && most > 0.0 { (p / most).max(0.0) } else { 0.0 };
        let mut weights: Vec<f64> = prior.iter().map(scaled).collect();
        if !weights.iter().any(|weight| *weight > 0.0) {
            weights.fill(1.0);
        }
        let mut fresh = Self { weights, share: DEFAULT_SHARE };
        fresh.normalise();
        Some(fresh)
    }

    /// The same with another share, from 0 (the text never changes) to one half.
    #[must_use]
    pub fn with_share(mut self, share: f64) -> Self {
        self.share = if share.is_nan() { DEFAULT_SHARE } else { share.clamp(0.0, MAX_SHARE) };
        self
    }

    /// The weights now, by expert.
    pub fn weights(&self) -> &[f64] {
        &self.weights
    }

    /// Updates the weights by the next byte's probability by each expert; `None` for an expert that gave no
    /// distribution.
    pub fn update(&mut self, given: &[Option<f64>]) {
        // A number outside 0 to 1, NaN among them, counts as silence: it would win all weight or poison it.
        let given = |at: usize| given.get(at).copied().flatten().filter(|p| (0.0..=1.0).contains(p));
        let (mut together, mut awake) = (0.0, 0.0);
        for (at, weight) in self.weights.iter().enumerate() {
            if let Some(p) = given(at) {
                together += weight * p;
                awake += weight;
            }
        }
        let mixture = together / awake;
        // No expert gave a probability, or all gave 0: there is nothing to learn from.
        if !mixture.is_finite() || mixture < f64::MIN_POSITIVE {
            return;
        }
        for (at, weight) in self.weights.iter_mut().enumerate() {
            // The mean factor of the experts that spoke is 1, by the definition of `mixture`. So a silent
            // one, with factor 1, neither gains nor loses.
            *weight *= given(at).map_or(1.0, |p| p / mixture);
        }
        self.normalise();
        // After the loss update, as in the paper: no weight leaves this function below share / N.
        self.spread();
    }

    fn normalise(&mut self) {
        let sum: f64 = self.weights.iter().sum();
        self.weights.iter_mut().for_each(|weight| *weight /= sum);
    }

    fn spread(&mut self) {
        let even = self.share / self.weights.len() as f64;
        self.weights.iter_mut().for_each(|weight| *weight = *weight * (1.0 - self.share) + even);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What the mixture spends on the bytes, in nats, when expert `i` gives `steps[t][i]` to the byte at `t`.
    fn spent(steps: &[Vec<f64>], weights: &mut FixedShare) -> f64 {
        let mut nats = 0.0;
        for given in steps {
            let mixture: f64 = weights.weights().iter().zip(given).map(|(weight, p)| weight * p).sum();
            nats -= mixture.ln();
            weights.update(&given.iter().map(|p| Some(*p)).collect::<Vec<_>>());
        }
        nats
    }

    fn uniform(experts: usize, share: f64) -> FixedShare {
        FixedShare::new(&vec![1.0; experts]).unwrap().with_share(share)
    }

    #[test]
    fn priors_of_any_kind_make_weights() {
        assert_eq!(FixedShare::new(&[]), None);
        assert_eq!(FixedShare::new(&[1.0; MAX_EXPERTS + 1]), None);
        for prior in [[0.0, 0.0], [f64::NAN, -1.0], [f64::INFINITY, 0.0]] {
            assert_eq!(FixedShare::new(&prior).unwrap().weights(), [0.5, 0.5], "{prior:?}");
        }
        assert!(
            FixedShare::new(&[f64::MAX, f64::MAX]).unwrap().weights().iter().all(|weight| *weight == 0.5)
        );
        let prior = FixedShare::new(&[3.0, 1.0]).unwrap();
        assert_eq!(prior.weights(), [0.75, 0.25]);
    }

    #[test]
    fn a_silent_expert_neither_wins_nor_loses() {
        let mut weights = uniform(3, 0.0);
        weights.update(&[Some(0.9), Some(0.1), None]);
        assert!((weights.weights()[2] - 1.0 / 3.0).abs() < 1e-12);
        let before = weights.clone();
        weights.update(&[None, None, None]);
        weights.update(&[Some(0.0), Some(0.0), None]);
        weights.update(&[]);
        assert_eq!(weights, before);
    }

    #[test]
    fn weights_come_back_after_a_change() {
        let mut weights = uniform(2, DEFAULT_SHARE);
        (0..500).for_each(|_| weights.update(&[Some(0.8), Some(0.1)]));
        assert!(weights.weights()[0] > 0.98);
        (0..5).for_each(|_| weights.update(&[Some(0.1), Some(0.8)]));
        assert!(weights.weights()[1] > 0.9, "five bytes are enough: {weights:?}");
    }

    proptest! {
        #[test]
        fn without_sharing_it_is_as_good_as_the_best_expert(
            steps in proptest::collection::vec(proptest::collection::vec(1e-6f64..1.0, 4), 1..200)
        ) {
            let nats = spent(&steps, &mut uniform(4, 0.0));
            let best = (0..4).map(|at| steps.iter().map(|given| -given[at].ln()).sum::<f64>()).fold(f64::MAX, f64::min);
            prop_assert!(nats <= best + 4f64.ln() + 1e-6, "{nats} {best}");
        }

        #[test]
        fn with_sharing_it_is_as_good_as_any_sequence_of_experts(
            steps in proptest::collection::vec(proptest::collection::vec(1e-6f64..1.0, 4), 2..200),
            path in proptest::collection::vec((0usize..4, 1usize..60), 1..12),
            share in 0.001f64..0.4,
        ) {
            let nats = spent(&steps, &mut uniform(4, share));
            let path: Vec<usize> =
                path.iter().flat_map(|(expert, bytes)| vec![*expert; *bytes]).cycle().take(steps.len()).collect();
            let changes = path.windows(2).filter(|pair| pair[0] != pair[1]).count() as f64;
            let stays = steps.len() as f64 - 1.0 - changes;
            let theirs: f64 = steps.iter().zip(&path).map(|(given, at)| -given[*at].ln()).sum();
            let regret = 4f64.ln() + changes * (4.0 / share).ln() - stays * (1.0 - share + share / 4.0).ln();
            prop_assert!(nats <= theirs + regret + 1e-6, "{nats} {theirs} {regret}");
        }

        #[test]
        fn weights_are_a_distribution_above_the_floor(
            steps in proptest::collection::vec(proptest::collection::vec(proptest::option::of(any::<f64>()), 3), 0..60)
        ) {
            let mut weights = uniform(3, 0.03);
            for given in &steps {
                weights.update(given);
                prop_assert!((weights.weights().iter().sum::<f64>() - 1.0).abs() < 1e-9);
                prop_assert!(weights.weights().iter().all(|weight| *weight >= 0.01 - 1e-12));
            }
        }

        #[test]
        fn experts_have_no_order(steps in proptest::collection::vec(proptest::collection::vec(0.0f64..1.0, 3), 1..40)) {
            let (mut one, mut other) = (uniform(3, 0.02), uniform(3, 0.02));
            for given in &steps {
                one.update(&[Some(given[0]), Some(given[1]), Some(given[2])]);
                other.update(&[Some(given[2]), Some(given[0]), Some(given[1])]);
            }
            let (one, other) = (one.weights(), other.weights());
            prop_assert!((one[0] - other[1]).abs() < 1e-9 && (one[2] - other[0]).abs() < 1e-9);
        }
    }
}
