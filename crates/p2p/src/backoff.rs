//! When to dial a node again: twice as long after each failure, up to a bound, with jitter.

use std::time::Duration;

use rand::Rng;

/// Wait after the first failure.
const FIRST: Duration = Duration::from_millis(100);

/// Longest wait.
const LONGEST: Duration = Duration::from_secs(30);

/// How often dialling one node has failed in a row.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Backoff {
    failures: u32,
}

impl Backoff {
    /// Counts a failure and says how long to wait: between half of the bound and all of it, so that nodes that lost
    /// the same peer do not come back in step.
    pub(crate) fn fail(&mut self, rng: &mut impl Rng) -> Duration {
        let bound = FIRST.saturating_mul(1 << self.failures.min(16)).min(LONGEST);
        self.failures = self.failures.saturating_add(1);
        bound.mul_f64(rng.random_range(0.5..=1.0))
    }

    /// Begins anew.
    pub(crate) fn succeed(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use rand::{SeedableRng, rngs::StdRng};

    use super::*;

    #[test]
    fn it_doubles_within_its_jitter_and_stays_bounded() {
        let (mut backoff, mut rng) = (Backoff::default(), StdRng::seed_from_u64(1));
        for failures in 0..100u32 {
            let bound = FIRST.saturating_mul(1 << failures.min(16)).min(LONGEST);
            let wait = backoff.fail(&mut rng);
            assert!(wait >= bound / 2 && wait <= bound, "{failures}: {wait:?}");
        }
        backoff.succeed();
        assert!(backoff.fail(&mut rng) <= FIRST);
    }
}
