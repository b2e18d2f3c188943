//! When a second expert is asked because the first one is slow.
//!
//! Source: Dean and Barroso, "The Tail at Scale", 2013: a hedged request goes out when the first one is later than
//! 95 % of requests, so that it costs 5 % more work and cuts the tail.

use std::time::Duration;

use nervure_subnet::Observation;

/// Silence after which the next expert is asked as well, for an expert that was never asked before.
pub(crate) const DEFAULT_HEDGE_DELAY: Duration = Duration::from_millis(400);

/// Bounds of that silence for an expert whose usual time to the first byte is known.
pub(crate) const MIN_HEDGE_DELAY: Duration = Duration::from_millis(150);
pub(crate) const MAX_HEDGE_DELAY: Duration = Duration::from_secs(5);

/// How many times its usual time to the first byte an expert may take.
const USUAL_LATENCIES: u64 = 3;

/// The silence after which an expert counts as stuck: three times its usual.
pub(crate) fn stuck_delay(observation: &Observation) -> Duration {
    match observation.latency_ms {
        Some(usual) => {
            Duration::from_millis(u64::from(usual) * USUAL_LATENCIES).clamp(MIN_HEDGE_DELAY, MAX_HEDGE_DELAY)
        }
        None => DEFAULT_HEDGE_DELAY,
    }
}

/// The silence that 95 % of the expert's answers did not exceed; what [`stuck_delay`] says where too few are known.
pub(crate) fn percentile_delay(observation: &Observation) -> Duration {
    match observation.late_ms {
        // No lower bound, unlike above: a hedge on the percentile adds 5 % of work by definition, however
        // short it is.
        Some(late) => Duration::from_millis(u64::from(late)).min(MAX_HEDGE_DELAY),
        None => stuck_delay(observation),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn observed(latency_ms: Option<u32>, late_ms: Option<u32>) -> Observation {
        Observation { latency_ms, late_ms, ..Observation::default() }
    }

    #[test]
    fn an_unknown_expert_gets_the_default_delay() {
        assert_eq!(stuck_delay(&observed(None, None)), DEFAULT_HEDGE_DELAY);
        assert_eq!(percentile_delay(&observed(None, None)), DEFAULT_HEDGE_DELAY);
    }

    #[test]
    fn a_known_expert_gets_three_times_its_usual_within_bounds() {
        let delays = [(10, 150), (100, 300), (1_000, 3_000), (u32::MAX, 5_000)];
        for (usual, delay) in delays {
            assert_eq!(stuck_delay(&observed(Some(usual), None)), Duration::from_millis(delay), "{usual}");
        }
    }

    #[test]
    fn the_percentile_has_an_upper_bound_only() {
        let delays = [(3, 3), (700, 700), (u32::MAX, 5_000)];
        for (late, delay) in delays {
            let observation = observed(Some(100), Some(late));
            assert_eq!(percentile_delay(&observation), Duration::from_millis(delay), "{late}");
        }
    }
}
