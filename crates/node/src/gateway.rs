//! The HTTP API of a node: how the command line, browsers' tools and every OpenAI client talk to the mesh.
//!
//! Each node answers `/status`, `/experts`, `/peers`, `/healthz`, `/metrics` and `/ask`; a gateway also speaks the
//! OpenAI API under `/v1`. The API knows the node through [`MeshService`](crate::service::MeshService) alone.
//!
//! # What a hostile client can do, and what bounds it
//! * *Connect and dawdle*: connections are counted, headers and bodies have deadlines, and so has a reader that
//!   stops reading ([`connections`], [`body`]). A cap on connections makes others wait; it is no defence against a flood.
//! * *Send much*: headers, bodies, JSON depth, messages and names are bounded before they are looked at ([`config::Limits`]).
//! * *Ask much*: questions in progress are counted; beyond the cap the answer is 429 with `Retry-After`.
//! * *Leave mid-answer*: the response body owns the answer, so that dropping one drops the other, and the expert
//!   is free at once ([`answer`]).
//! * *Be a web page*: without keys only names of this host are served, and no page of another origin ([`guard`]). With keys,
//!   every request but `/healthz` shows one.
//!
//! Text of remote experts that ends up in a header is cut to printable ASCII; in bodies it is JSON.

mod answer;
mod ask;
mod body;
mod config;
mod connections;
mod error;
mod experts;
mod guard;
mod key;
mod ledger;
mod metrics;
mod openai;
mod proofs;
mod serve;
mod status;
mod subnets;
mod terms;
mod traces;

use std::sync::Arc;

use axum::{
    Router,
    extract::{Request, State},
    middleware,
    routing::{get, post},
};
use tokio::sync::Semaphore;

pub(crate) use answer::Whole;
pub(crate) use body::{Bounded, JsonBody};
pub(crate) use config::{GatewayConfig, GatewayError, Limits};
pub(crate) use connections::serve;
pub(crate) use error::{ApiError, excerpt};
pub(crate) use key::{ApiKey, ApiKeyError};
pub(crate) use nervure_api::{AskBody, AskLine, ErrorBody, ErrorDetail, QueryTerms, SubmitBody};
pub(crate) use openai::{Form, Reply, unix_seconds};
pub(crate) use serve::Gateway;

use crate::service::SharedService;

/// Endpoints of every node.
const NODE_ENDPOINTS: &[&str] = &[
    "GET /status",
    "GET /experts",
    "GET /peers",
    "GET /healthz",
    "GET /metrics",
    "POST /ask",
    "GET /accounts/{owner}",
    "POST /transactions",
    "GET /transactions/{id}",
    "GET /subnets",
    "GET /subnets/{netuid}",
    "GET /nodes/{node}",
    "GET /checkpoints",
    "GET /checkpoints/{height}",
    "GET /facts",
    "GET /epochs/{netuid}",
    "GET /anchored/{height}",
];

/// Endpoints that a gateway has as well.
const OPENAI_ENDPOINTS: &[&str] = &[
    "GET /v1/models",
    "GET /v1/models/{id}",
    "POST /v1/chat/completions",
    "POST /v1/completions",
    "POST /v1/embeddings",
    "GET /traces/{id}",
];

/// What the handlers share.
pub(crate) struct Shared {
    /// The node.
    service: SharedService,
    /// What the operator set.
    config: GatewayConfig,
    /// One permit per question in progress.
    slots: Arc<Semaphore>,
    /// Why the last answers came from whom they did, where that was asked for.
    traces: traces::Traces,
    /// Counters of this API.
    metrics: metrics::HttpMetrics,
}

/// The state of the router.
type App = Arc<Shared>;

/// The endpoints, behind the guard and the counters.
fn router(app: App) -> Router {
    let mut router = Router::new()
        .route("/status", get(status::status))
        .route("/peers", get(status::peers))
        .route("/healthz", get(status::healthz))
        .route("/metrics", get(metrics::metrics))
        .route("/experts", get(experts::experts))
        .route("/ask", post(ask::ask))
        .route("/accounts/{owner}", get(ledger::account))
        .route("/transactions", post(ledger::submit))
        .route("/transactions/{id}", get(ledger::transaction))
        .route("/subnets", get(subnets::subnets))
        .route("/subnets/{netuid}", get(subnets::subnet))
        .route("/nodes/{node}", get(subnets::node))
        .route("/checkpoints", get(proofs::checkpoints))
        .route("/checkpoints/{height}", get(proofs::checkpoint))
        .route("/anchored/{height}", get(proofs::anchored))
        .route("/facts", get(proofs::fact))
        .route("/epochs/{netuid}", get(proofs::epoch));
    if app.config.openai {
        router = router.merge(openai::router()).route("/traces/{id}", get(traces::trace));
    }
    router
        .fallback(not_found)
        .method_not_allowed_fallback(wrong_method)
        .layer(middleware::from_fn_with_state(app.clone(), guard::guard))
        .layer(middleware::from_fn_with_state(app.clone(), metrics::count))
        .with_state(app)
}

/// Says that there is no such endpoint, and which there are.
async fn not_found(State(app): State<App>, request: Request) -> ApiError {
    let path = request.uri().path();
    let openai: &[_] = if app.config.openai { OPENAI_ENDPOINTS } else { &[] };
    let all = NODE_ENDPOINTS.iter().chain(openai).copied().collect::<Vec<_>>().join(", ");
    let note = if path.starts_with("/v1") && !app.config.openai {
        " (this node is no gateway: /v1 is served by nodes that joined with --role gateway)"
    } else {
        ""
    };
    ApiError::not_found(format!("there is no {}{note}; there are: {all}", excerpt(path)))
}

/// Says that the endpoint wants another method. axum adds the `Allow` header.
async fn wrong_method(request: Request) -> ApiError {
    ApiError::wrong_method(format!("{} does not take {}", excerpt(request.uri().path()), request.method()))
}

#[cfg(test)]
mod tests;
