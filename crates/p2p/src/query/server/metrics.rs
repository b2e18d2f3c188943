//! What the server of the query plane counts.

use std::time::Duration;

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};

/// Bounds of the buckets of an answer's duration, and of the time to its first chunk, in seconds: a byte of a mixture
/// takes a millisecond, a long text minutes.
const ANSWER_SECONDS: [f64; 14] =
    [0.001, 0.003, 0.01, 0.03, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 120.0, 600.0];

/// Bounds of the buckets of an answer's size, in bytes.
const ANSWER_BYTES: [f64; 10] =
    [16.0, 64.0, 256.0, 1_024.0, 4_096.0, 16_384.0, 65_536.0, 262_144.0, 1_048_576.0, 8_388_608.0];

/// Metrics of the server. Clones share the same values.
#[derive(Clone, Debug, Default)]
pub struct ServerMetrics {
    /// Connections accepted.
    pub connections: Counter,
    /// Connections refused because there were too many in all or from one network, and queries refused because of load.
    pub refused: Counter,
    /// Connections that got a QUIC Retry, to prove their address.
    pub retried: Counter,
    /// Queries that have ended, answered or not.
    pub queries: Counter,
    /// Queries in progress now.
    pub in_progress: Gauge,
    /// Streams without a well-formed open frame in time.
    pub malformed: Counter,
    /// Queries beyond their asker's rate, or that of all free keys.
    pub rate_limited: Counter,
    /// Queries that were cut because their asker did not read.
    pub stalled: Counter,
    durations: QueryDurations,
    first_chunks: FirstChunks,
    sizes: AnswerSizes,
}

/// How a query ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum QueryOutcome {
    /// With the answer's end.
    Answered,
    /// With an error frame, before or within an answer.
    Refused,
    /// The expert stopped without an end.
    Failed,
    /// The time for the answer was over.
    TimedOut,
    /// The asker left.
    Cancelled,
    /// This node stops.
    Stopped,
}

impl QueryOutcome {
    const ALL: [Self; 6] =
        [Self::Answered, Self::Refused, Self::Failed, Self::TimedOut, Self::Cancelled, Self::Stopped];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::TimedOut => "timed_out",
            Self::Cancelled => "cancelled",
            Self::Stopped => "stopped",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabels {
    outcome: &'static str,
}

#[derive(Clone, Debug)]
struct QueryDurations(Family<OutcomeLabels, Histogram>);

impl Default for QueryDurations {
    fn default() -> Self {
        let durations =
            Family::<OutcomeLabels, Histogram>::new_with_constructor(|| Histogram::new(ANSWER_SECONDS));
        // Every series exists from the start, so that a rate over a first event is not lost.
        for outcome in QueryOutcome::ALL {
            drop(durations.get_or_create(&OutcomeLabels { outcome: outcome.name() }));
        }
        Self(durations)
    }
}

#[derive(Clone, Debug)]
struct FirstChunks(Histogram);

impl Default for FirstChunks {
    fn default() -> Self {
        Self(Histogram::new(ANSWER_SECONDS))
    }
}

#[derive(Clone, Debug)]
struct AnswerSizes(Histogram);

impl Default for AnswerSizes {
    fn default() -> Self {
        Self(Histogram::new(ANSWER_BYTES))
    }
}

impl ServerMetrics {
    /// Registers all of them.
    pub fn register(&self, registry: &mut Registry) {
        registry.register("queries_in_progress", "Queries being answered", self.in_progress.clone());
        let counters = [
            ("query_connections", "Connections to the query endpoint", &self.connections),
            ("query_connections_refused", "Connections to the query endpoint refused", &self.refused),
            ("query_retries", "Connections whose address was validated with a QUIC retry", &self.retried),
            ("queries", "Queries answered or refused", &self.queries),
            ("queries_malformed", "Queries whose request was malformed or late", &self.malformed),
            ("queries_rate_limited", "Queries over the rate limit of their sender", &self.rate_limited),
            ("queries_stalled", "Queries cut because their sender did not read", &self.stalled),
        ];
        for (name, help, counter) in counters {
            registry.register(name, help, counter.clone());
        }
        let durations = "Duration of queries of other nodes, from the stream to the end of the answer";
        registry.register_with_unit("query_duration", durations, Unit::Seconds, self.durations.0.clone());
        let first = "Time from the stream of a query to the first chunk of its answer";
        registry.register_with_unit("query_first_chunk", first, Unit::Seconds, self.first_chunks.0.clone());
        let sizes = "Size of the chunks of complete answers to queries of other nodes";
        registry.register_with_unit("query_answer", sizes, Unit::Bytes, self.sizes.0.clone());
    }

    /// Counts a query that has ended.
    pub(super) fn ended(&self, outcome: QueryOutcome, took: Duration) {
        let labels = OutcomeLabels { outcome: outcome.name() };
        self.durations.0.get_or_create(&labels).observe(took.as_secs_f64());
    }

    /// Counts the first chunk of an answer.
    pub(super) fn first_chunk(&self, took: Duration) {
        self.first_chunks.0.observe(took.as_secs_f64());
    }

    /// Counts a complete answer.
    pub(super) fn answer(&self, bytes: u64) {
        self.sizes.0.observe(bytes as f64);
    }
}
