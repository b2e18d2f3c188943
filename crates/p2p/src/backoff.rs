//! When to dial a node again: twice as long after each failure, up to a bound, with jitter.

use std::time::Duration;

use rand::Rng;

/// Longest delay after the first failure.
const MIN_DELAY: Duration = Duration::from_millis(100);

/// Longest delay after any number of failures.
const MAX_DELAY: Duration = Duration::from_secs(30);

/// Counts how often dialling one node has failed in a row.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Backoff {
    failures: u32,
}

impl Backoff {
    /// Counts a failure and says how long to wait: between half of the bound and all of it, so that nodes that lost
    /// the same peer do not come back in step.
    pub(crate) fn fail(&mut self, rng: &mut impl Rng) -> Duration {
        // The exponent is capped because a shift by 32 or more would overflow.
        let bound = MIN_DELAY.saturating_mul(1 << self.failures.min(16)).min(MAX_DELAY);
        self.failures = self.failures.saturating_add(1);
        bound.mul_f64(rng.random_range(0.5..=1.0))
    }

    /// Resets the count of failures.
    pub(crate) fn succeed(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use rand::{SeedableRng, rngs::StdRng};

    use super::*;

    #[test]
    fn delay_doubles_within_its_jitter_and_stays_bounded() {
        let (mut backoff, mut rng) = (Backoff::default(), StdRng::seed_from_u64(1));
        for failures in 0..100u32 {
            let bound = MIN_DELAY.saturating_mul(1 << failures.min(16)).min(MAX_DELAY);
            let wait = backoff.fail(&mut rng);
            assert!(wait >= bound / 2 && wait <= bound, "{failures}: {wait:?}");
        }
        backoff.succeed();
        assert!(backoff.fail(&mut rng) <= MIN_DELAY);
    }
}
