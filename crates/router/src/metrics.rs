//! What the router counts.

use std::time::Duration;

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, histogram::Histogram},
    registry::{Registry, Unit},
};

use crate::attempt::FailureKind;

/// Bounds of the buckets of the time to a first event, in seconds: a built-in model takes milliseconds, a busy upstream
/// seconds.
const FIRST_EVENT_SECONDS: [f64; 12] = [0.001, 0.003, 0.01, 0.03, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

/// Metrics of the router. Clones share the same values.
#[derive(Clone, Debug, Default)]
pub struct RouterMetrics {
    pub(crate) hedges: Counter,
    pub(crate) takeovers: Counter,
    pub(crate) retries: Counter,
    attempts: Attempts,
    first_events: FirstEvents,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabels {
    outcome: &'static str,
}

/// The outcome of an attempt whose answer began.
const STARTED: &str = "started";

/// The kinds of failure, in whatever detail they have.
const FAILURES: [FailureKind; 4] = [
    FailureKind::Failed,
    FailureKind::Busy(Duration::ZERO),
    FailureKind::BadRequest,
    FailureKind::ContextTooLong,
];

#[derive(Clone, Debug)]
struct Attempts(Family<OutcomeLabels, Counter>);

impl Default for Attempts {
    fn default() -> Self {
        let attempts = Family::<OutcomeLabels, Counter>::default();
        // Every series exists from the start, so that a rate over a first event is not lost.
        for outcome in [STARTED].into_iter().chain(FAILURES.map(FailureKind::name)) {
            drop(attempts.get_or_create(&OutcomeLabels { outcome }));
        }
        Self(attempts)
    }
}

#[derive(Clone, Debug)]
struct FirstEvents(Histogram);

impl Default for FirstEvents {
    fn default() -> Self {
        Self(Histogram::new(FIRST_EVENT_SECONDS))
    }
}

impl RouterMetrics {
    /// Registers all of them.
    pub fn register(&self, registry: &mut Registry) {
        let counters = [
            ("router_hedges", "Experts asked because an earlier one was silent for too long", &self.hedges),
            ("router_takeovers", "Answers that another expert continued", &self.takeovers),
            ("router_retries", "Queries asked again after all experts had failed", &self.retries),
        ];
        for (name, help, counter) in counters {
            registry.register(name, help, counter.clone());
        }
        let attempts =
            "Queries to one expert by outcome; those that were cancelled before it began are not counted";
        registry.register("router_attempts", attempts, self.attempts.0.clone());
        let first = "Time from a query to one expert to the first event of its answer";
        registry.register_with_unit("router_first_event", first, Unit::Seconds, self.first_events.0.clone());
    }

    /// Counts an attempt: the time to its first event, or why it failed.
    pub(crate) fn attempt(&self, result: Result<Duration, FailureKind>) {
        let outcome = result.err().map_or(STARTED, FailureKind::name);
        self.attempts.0.get_or_create(&OutcomeLabels { outcome }).inc();
        if let Ok(took) = result {
            self.first_events.0.observe(took.as_secs_f64());
        }
    }

    /// Attempts with this outcome so far.
    #[cfg(test)]
    pub(crate) fn attempts(&self, outcome: &'static str) -> u64 {
        self.attempts.0.get_or_create(&OutcomeLabels { outcome }).get()
    }
}
