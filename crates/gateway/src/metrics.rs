//! `GET /metrics`: the node's metrics and those of this API, in the OpenMetrics text format.
//!
//! Labels are routes, statuses and error codes from this program's own lists, never a client's text: a client cannot
//! create series.

use axum::{
    extract::{MatchedPath, Request, State},
    http::header,
    middleware::Next,
    response::{IntoResponse, Response},
};
use nervure_api::ApiErrorCode;
use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{counter::Counter, family::Family},
    registry::Registry,
};

use super::App;

/// The content type of OpenMetrics text.
const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The line that ends an OpenMetrics text.
const OPENMETRICS_END: &str = "# EOF";

/// Counters of this API.
#[derive(Default)]
pub(super) struct HttpMetrics {
    requests: Family<RequestLabels, Counter>,
    errors: Family<ErrorLabels, Counter>,
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

impl HttpMetrics {
    /// The text, without its end.
    fn encode(&self, in_progress: u32) -> Result<String, std::fmt::Error> {
        let mut registry = Registry::with_prefix("nervure_http");
        registry.register("requests", "Requests answered, by route and status", self.requests.clone());
        registry.register("errors", "Requests rejected or failed, by error code", self.errors.clone());
        let gauge = prometheus_client::metrics::gauge::Gauge::<i64>::default();
        gauge.set(i64::from(in_progress));
        registry.register("questions_in_progress", "Queries in progress", gauge);
        let mut text = String::new();
        encode(&mut text, &registry)?;
        Ok(text.trim_end().trim_end_matches(OPENMETRICS_END).to_owned())
    }
}

/// Counts a request when its response begins.
pub(super) async fn count(State(app): State<App>, request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().map_or("other", MatchedPath::as_str).to_owned();
    let response = next.run(request).await;
    let labels = RequestLabels { route, status: response.status().as_u16() };
    app.metrics.requests.get_or_create(&labels).inc();
    if let Some(code) = response.extensions().get::<ApiErrorCode>() {
        app.metrics.errors.get_or_create(&ErrorLabels { code: code.as_str() }).inc();
    }
    response
}

/// The handler.
pub(super) async fn metrics(State(app): State<App>) -> Response {
    let node = app.service.metrics().await;
    let free = u32::try_from(app.permits.available_permits()).unwrap_or(u32::MAX);
    let own =
        app.metrics.encode(app.config.limits.max_queries.get().saturating_sub(free)).unwrap_or_default();
    let node = node.trim_end().trim_end_matches(OPENMETRICS_END).trim_end();
    let separator = if node.is_empty() { "" } else { "\n" };
    let text = format!("{node}{separator}{own}{OPENMETRICS_END}\n");
    ([(header::CONTENT_TYPE, CONTENT_TYPE)], text).into_response()
}
