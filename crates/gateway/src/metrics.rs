//! What the HTTP API counts, and `GET /metrics`: the node's metrics in the OpenMetrics text format.
//!
//! Labels are routes, statuses and error codes from this program's own lists, never a client's text: a client cannot
//! create series. Names of models are bounded in number ([`super::gen_ai`]).

use std::time::Instant;

use axum::{
    extract::{MatchedPath, Request, State},
    http::header,
    middleware::Next,
    response::{IntoResponse, Response},
};
use nervure_api::ApiErrorCode;
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};

use super::{App, gen_ai::GenAiMetrics};

/// The content type of OpenMetrics text.
const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The label of requests that no route takes.
const NO_ROUTE: &str = "other";

/// Status of such requests.
const NOT_FOUND: u16 = 404;

/// Bounds of the buckets of durations, in seconds: a read takes a millisecond, a long text minutes.
const SECONDS: [f64; 14] =
    [0.001, 0.003, 0.01, 0.03, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 120.0, 600.0];

/// Metrics of the HTTP API. Clones share the same values.
#[derive(Debug, Clone)]
pub struct HttpMetrics {
    requests: Family<RequestLabels, Counter>,
    errors: Family<ErrorLabels, Counter>,
    in_progress: Gauge,
    responses: ResponseDurations,
    queries: QueryDurations,
    pub(super) answers: GenAiMetrics,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    route: String,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ErrorLabels {
    code: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteLabels {
    route: String,
}

#[derive(Debug, Clone)]
struct ResponseDurations(Family<RouteLabels, Histogram>);

impl Default for ResponseDurations {
    fn default() -> Self {
        Self(Family::new_with_constructor(|| Histogram::new(SECONDS)))
    }
}

#[derive(Debug, Clone)]
struct QueryDurations(Histogram);

impl Default for QueryDurations {
    fn default() -> Self {
        Self(Histogram::new(SECONDS))
    }
}

impl Default for HttpMetrics {
    fn default() -> Self {
        let metrics = Self {
            requests: Family::default(),
            errors: Family::default(),
            in_progress: Gauge::default(),
            responses: ResponseDurations::default(),
            queries: QueryDurations::default(),
            answers: GenAiMetrics::default(),
        };
        // A family without series is not encoded at all: its alerts would have no data instead of zero.
        let route = NO_ROUTE.to_owned();
        drop(metrics.requests.get_or_create(&RequestLabels { route: route.clone(), status: NOT_FOUND }));
        drop(metrics.responses.0.get_or_create(&RouteLabels { route }));
        drop(metrics.errors.get_or_create(&ErrorLabels { code: ApiErrorCode::Internal.as_str() }));
        metrics
    }
}

impl HttpMetrics {
    /// Registers all of them.
    pub fn register(&self, registry: &mut Registry) {
        registry.register("http_requests", "Requests answered, by route and status", self.requests.clone());
        registry.register("http_errors", "Requests rejected or failed, by error code", self.errors.clone());
        registry.register(
            "http_queries_in_progress",
            "Queries in progress, and those that wait for a place",
            self.in_progress.clone(),
        );
        let responses = "Time from a request to the start of its response, by route";
        registry.register_with_unit("http_response", responses, Unit::Seconds, self.responses.0.clone());
        let queries = "Duration of queries of clients, from the request to the end of the answer";
        registry.register_with_unit("http_query", queries, Unit::Seconds, self.queries.0.clone());
        self.answers.register(registry);
    }

    /// Counts a query from now on until the guard is dropped.
    pub(super) fn begin_query(&self) -> QueryGuard {
        self.in_progress.inc();
        QueryGuard { metrics: self.clone(), started: Instant::now() }
    }
}

/// A query in progress.
pub(super) struct QueryGuard {
    metrics: HttpMetrics,
    started: Instant,
}

impl Drop for QueryGuard {
    fn drop(&mut self) {
        self.metrics.in_progress.dec();
        self.metrics.queries.0.observe(self.started.elapsed().as_secs_f64());
    }
}

/// Counts a request when its response begins.
pub(super) async fn count(State(app): State<App>, request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().map_or(NO_ROUTE, MatchedPath::as_str).to_owned();
    let started = Instant::now();
    let response = next.run(request).await;
    let metrics = &app.config.metrics;
    let labels = RouteLabels { route: route.clone() };
    metrics.responses.0.get_or_create(&labels).observe(started.elapsed().as_secs_f64());
    let labels = RequestLabels { route, status: response.status().as_u16() };
    metrics.requests.get_or_create(&labels).inc();
    if let Some(code) = response.extensions().get::<ApiErrorCode>() {
        metrics.errors.get_or_create(&ErrorLabels { code: code.as_str() }).inc();
    }
    response
}

/// The handler.
pub(super) async fn metrics(State(app): State<App>) -> Response {
    ([(header::CONTENT_TYPE, CONTENT_TYPE)], app.service.metrics()).into_response()
}
