//! What answers took and how many tokens they had, by the names of OpenTelemetry's conventions for generative AI, behind the
//! prefix of all metrics here.
//!
//! Names of models come from other nodes: only the first [`MAX_MODELS`] become labels, and the rest are `other`.

use std::{collections::BTreeSet, sync::Arc, time::Instant};

use nervure_api::{ApiErrorCode, ServiceError};
use nervure_primitives::Escaped;
use nervure_protocol::{ExpertEvent, ExpertRequest, Usage};
use parking_lot::Mutex;
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, histogram::Histogram},
    registry::{Registry, Unit},
};

/// Most models that have series of their own.
const MAX_MODELS: usize = 32;

/// Longest name of a model in a label, in bytes.
const MAX_LABEL_BYTES: usize = 100;

/// The label of all other models, and of an answer that did not begin.
const OTHER_MODEL: &str = "other";

/// The label of an answer whose client left.
const CANCELLED: &str = "cancelled";

/// The conventions' buckets of requests, in seconds, and longer ones.
const REQUEST_SECONDS: [f64; 12] =
    [0.02, 0.08, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 81.92, 300.0, 600.0];

/// The conventions' buckets of the time to the first token, in seconds, the finest left out.
const FIRST_TOKEN_SECONDS: [f64; 12] = [0.01, 0.02, 0.04, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0, 300.0];

/// The conventions' buckets of the time for an output token, in seconds.
const PER_TOKEN_SECONDS: [f64; 12] = [0.001, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 1.0, 2.5];

/// The conventions' buckets of tokens, up to a million.
const TOKENS: [f64; 11] =
    [1.0, 4.0, 16.0, 64.0, 256.0, 1024.0, 4096.0, 16384.0, 65536.0, 262_144.0, 1_048_576.0];

/// The metrics of answers. Clones share the same values.
#[derive(Debug, Clone)]
pub(super) struct GenAiMetrics {
    requests: Histograms<RequestLabels>,
    first_token: Histograms<ModelLabels>,
    per_token: Histograms<ModelLabels>,
    tokens: Histograms<TokenLabels>,
    broken: Family<CodeLabels, Counter>,
    models: Arc<Mutex<BTreeSet<String>>>,
}

type Histograms<L> = Family<L, Histogram, fn() -> Histogram>;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    gen_ai_operation_name: &'static str,
    gen_ai_response_model: String,
    /// Empty for a whole answer.
    error_type: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ModelLabels {
    gen_ai_operation_name: &'static str,
    gen_ai_response_model: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct TokenLabels {
    gen_ai_operation_name: &'static str,
    gen_ai_response_model: String,
    gen_ai_token_type: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CodeLabels {
    code: &'static str,
}

impl Default for GenAiMetrics {
    fn default() -> Self {
        let metrics = Self {
            requests: Family::new_with_constructor(|| Histogram::new(REQUEST_SECONDS)),
            first_token: Family::new_with_constructor(|| Histogram::new(FIRST_TOKEN_SECONDS)),
            per_token: Family::new_with_constructor(|| Histogram::new(PER_TOKEN_SECONDS)),
            tokens: Family::new_with_constructor(|| Histogram::new(TOKENS)),
            broken: Family::default(),
            models: Arc::default(),
        };
        // A family without series is not encoded at all: its alerts would have no data instead of zero.
        let labels = ModelLabels { gen_ai_operation_name: "chat", gen_ai_response_model: OTHER_MODEL.into() };
        drop(metrics.first_token.get_or_create(&labels));
        drop(metrics.per_token.get_or_create(&labels));
        drop(metrics.requests.get_or_create(&labels.request("")));
        drop(metrics.tokens.get_or_create(&labels.token("input")));
        drop(metrics.broken.get_or_create(&CodeLabels { code: ApiErrorCode::Interrupted.as_str() }));
        metrics
    }
}

impl ModelLabels {
    fn request(&self, error_type: &'static str) -> RequestLabels {
        let Self { gen_ai_operation_name, gen_ai_response_model } = self.clone();
        RequestLabels { gen_ai_operation_name, gen_ai_response_model, error_type }
    }

    fn token(&self, gen_ai_token_type: &'static str) -> TokenLabels {
        let Self { gen_ai_operation_name, gen_ai_response_model } = self.clone();
        TokenLabels { gen_ai_operation_name, gen_ai_response_model, gen_ai_token_type }
    }
}

impl GenAiMetrics {
    pub(super) fn register(&self, registry: &mut Registry) {
        let seconds = Unit::Seconds;
        registry.register_with_unit(
            "gen_ai_server_request_duration",
            "Time from a query of a client to the end of its answer, by operation, model and error",
            seconds.clone(),
            self.requests.clone(),
        );
        registry.register_with_unit(
            "gen_ai_server_time_to_first_token",
            "Time from a query of a client to the first piece of its answer, by operation and model",
            seconds.clone(),
            self.first_token.clone(),
        );
        registry.register_with_unit(
            "gen_ai_server_time_per_output_token",
            "Time for a token after the first piece of an answer, by operation and model",
            seconds,
            self.per_token.clone(),
        );
        registry.register(
            "gen_ai_client_token_usage",
            "Tokens of an answer, by operation, model and type (input or output)",
            self.tokens.clone(),
        );
        registry.register(
            "http_answer_errors",
            "Answers that broke off after they had begun, by error code",
            self.broken.clone(),
        );
    }

    /// Observes a query from now on until the guard is dropped.
    pub(super) fn begin(&self, request: &ExpertRequest) -> AnswerObserver {
        let labels = ModelLabels {
            gen_ai_operation_name: operation(request),
            gen_ai_response_model: OTHER_MODEL.to_owned(),
        };
        let metrics = self.clone();
        AnswerObserver { metrics, labels, began: Instant::now(), first: None, end: CANCELLED }
    }

    /// The label for a model.
    fn model(&self, name: &str) -> String {
        let mut models = self.models.lock();
        let label: String = Escaped::ascii(name).to_string().chars().take(MAX_LABEL_BYTES).collect();
        if models.contains(&label) || (models.len() < MAX_MODELS && models.insert(label.clone())) {
            return label;
        }
        OTHER_MODEL.to_owned()
    }
}

/// The conventions' name of what is asked.
fn operation(request: &ExpertRequest) -> &'static str {
    match request {
        ExpertRequest::Complete { .. } => "text_completion",
        ExpertRequest::Chat { .. } => "chat",
        ExpertRequest::Embed { .. } => "embeddings",
        ExpertRequest::Distribution { .. } => "distribution",
    }
}

/// An answer on its way. Counted when it is dropped.
pub(super) struct AnswerObserver {
    metrics: GenAiMetrics,
    labels: ModelLabels,
    began: Instant,
    first: Option<Instant>,
    /// The type of error that it ends with; empty for a whole answer.
    end: &'static str,
}

impl AnswerObserver {
    /// An expert with this model has begun to answer.
    pub(super) fn begun(&mut self, model: &str) {
        self.labels.gen_ai_response_model = self.metrics.model(model);
    }

    /// It failed.
    pub(super) fn failed(&mut self, code: ApiErrorCode) {
        self.end = code.as_str();
    }

    /// The answer continues, or breaks off.
    pub(super) fn observe(&mut self, item: &Result<ExpertEvent, ServiceError>) {
        match item {
            Ok(ExpertEvent::Done { usage, .. }) => self.complete(*usage),
            Ok(
                ExpertEvent::Text(_)
                | ExpertEvent::Fields(_)
                | ExpertEvent::Embedding { .. }
                | ExpertEvent::Distribution(_),
            ) => {
                if self.first.is_none() {
                    let now = Instant::now();
                    self.first = Some(now);
                    let took = now.duration_since(self.began).as_secs_f64();
                    self.metrics.first_token.get_or_create(&self.labels).observe(took);
                }
            }
            Err(error) => {
                self.failed(error.code());
                self.metrics.broken.get_or_create(&CodeLabels { code: self.end }).inc();
            }
        }
    }

    fn complete(&mut self, usage: Usage) {
        self.end = "";
        let tokens = |kind| self.metrics.tokens.get_or_create_owned(&self.labels.token(kind));
        tokens("input").observe(f64::from(usage.prompt_tokens));
        tokens("output").observe(f64::from(usage.completion_tokens));
        // The first token came with the first piece.
        if let (Some(first), more @ 1..) = (self.first, usage.completion_tokens.saturating_sub(1)) {
            let each = first.elapsed().as_secs_f64() / f64::from(more);
            self.metrics.per_token.get_or_create(&self.labels).observe(each);
        }
    }
}

impl Drop for AnswerObserver {
    fn drop(&mut self) {
        let took = self.began.elapsed().as_secs_f64();
        self.metrics.requests.get_or_create(&self.labels.request(self.end)).observe(took);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_of_other_nodes_make_a_bounded_number_of_series() {
        let metrics = GenAiMetrics::default();
        let labels: BTreeSet<_> = (0..1000).map(|number| metrics.model(&format!("model {number}"))).collect();
        assert_eq!(labels.len(), MAX_MODELS + 1);
        assert_eq!(metrics.model("model 3"), "model 3");
        assert!(GenAiMetrics::default().model(&"é".repeat(500)).len() <= MAX_LABEL_BYTES);
    }
}
