//! What a validator measures.

use std::time::{Duration, Instant};

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, histogram::Histogram},
    registry::{Registry, Unit},
};

/// Bounds of the buckets of durations, in seconds: an answer takes milliseconds, a task at most two minutes.
const SECONDS: [f64; 11] = [0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 60.0, 120.0];

/// Metrics of a validator. Clones share the same values.
#[derive(Clone, Debug, Default)]
pub(crate) struct ValidatorMetrics {
    replies: Replies,
    gateways: Counter,
    direct: Counter,
    tasks: Durations,
    answers: Durations,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabels {
    outcome: &'static str,
}

/// The values of the label `outcome`.
const ANSWERED: &str = "answered";
const MISSING: &str = "missing";

#[derive(Clone, Debug)]
struct Replies(Family<OutcomeLabels, Counter>);

impl Default for Replies {
    fn default() -> Self {
        let replies = Family::<OutcomeLabels, Counter>::default();
        // Every series exists from the start, so that a rate over a first event is not lost.
        for outcome in [ANSWERED, MISSING] {
            drop(replies.get_or_create(&OutcomeLabels { outcome }));
        }
        Self(replies)
    }
}

#[derive(Clone, Debug)]
struct Durations(Histogram);

impl Default for Durations {
    fn default() -> Self {
        Self(Histogram::new(SECONDS))
    }
}

impl ValidatorMetrics {
    /// Registers all of them.
    pub(crate) fn register(&self, registry: &mut Registry) {
        let replies = "Requests of tasks by outcome: answered with a valid receipt, or missing";
        registry.register("task_replies", replies, self.replies.0.clone());
        let gateways = "Questions of tasks that a gateway asked for this validator";
        registry.register("task_questions_through_gateways", gateways, self.gateways.clone());
        let direct = "Questions of tasks that this validator asked itself, because no gateway did";
        registry.register("task_questions_asked_directly", direct, self.direct.clone());
        let tasks = "Duration of tasks, from the draw to the stored results";
        registry.register_with_unit("task_duration", tasks, Unit::Seconds, self.tasks.0.clone());
        let answers = "Duration of miners' answers to tasks";
        registry.register_with_unit("task_answer", answers, Unit::Seconds, self.answers.0.clone());
    }

    /// Counts a question that a gateway asked.
    pub(super) fn asked_through_a_gateway(&self) {
        self.gateways.inc();
    }

    /// Counts a question that this validator asks itself.
    pub(super) fn asked_directly(&self) {
        self.direct.inc();
    }

    /// Measures a task that began then.
    pub(super) fn task(&self, began: Instant) {
        self.tasks.0.observe(began.elapsed().as_secs_f64());
    }

    /// Counts a reply: how long an answer with a valid receipt took, or none.
    pub(super) fn reply(&self, took: Option<Duration>) {
        let outcome = if took.is_some() { ANSWERED } else { MISSING };
        self.replies.0.get_or_create(&OutcomeLabels { outcome }).inc();
        if let Some(took) = took {
            self.answers.0.observe(took.as_secs_f64());
        }
    }
}
