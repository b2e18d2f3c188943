//! The routes: one table that makes the router, the list of endpoints in an error, and the check of the documentation.

use axum::{
    Router,
    extract::{Request, State},
    middleware,
    routing::{MethodFilter, MethodRouter, on},
};
use nervure_api::paths;

use super::{
    App, ask,
    error::{ApiError, excerpt},
    experts, guard, ledger, metrics,
    openai::{chat, completions, embeddings, models},
    proofs, status, subnets, traces,
};

/// A route of the API.
#[derive(Clone, Copy)]
pub struct Route {
    method: MethodFilter,
    path: &'static str,
    summary: &'static str,
    access: RouteAccess,
    handler: fn(MethodFilter) -> MethodRouter<App>,
}

/// Which requests a route answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RouteAccess {
    /// With keys, those that show one; without, those of this host.
    Guarded,
    /// With keys, every request; without, those of this host.
    Open,
}

impl Route {
    const fn new(
        method: MethodFilter,
        path: &'static str,
        summary: &'static str,
        handler: fn(MethodFilter) -> MethodRouter<App>,
    ) -> Self {
        Self { method, path, summary, access: RouteAccess::Guarded, handler }
    }

    const fn open(self) -> Self {
        Self { access: RouteAccess::Open, ..self }
    }

    /// `GET` or `POST`.
    #[must_use]
    pub fn method(&self) -> &'static str {
        if self.method == MethodFilter::POST { "POST" } else { "GET" }
    }

    /// The path, with its parameters in braces.
    #[must_use]
    pub fn path(&self) -> String {
        // axum marks a parameter that may contain slashes with an asterisk, which means nothing to a client.
        self.path.replace("{*", "{")
    }

    /// Its purpose, for the list of endpoints.
    #[must_use]
    pub fn summary(&self) -> &'static str {
        self.summary
    }

    /// Which requests it answers.
    #[must_use]
    pub fn access(&self) -> RouteAccess {
        self.access
    }
}

const GET: MethodFilter = MethodFilter::GET;
const POST: MethodFilter = MethodFilter::POST;

/// The routes of every node.
pub const NODE_ROUTES: &[Route] = &[
    Route::new(GET, paths::STATUS, "the state of the node", |m| on(m, status::status)),
    Route::new(GET, paths::EXPERTS, "a page of expert records", |m| on(m, experts::experts)),
    Route::new(GET, paths::PEERS, "the nodes that it is connected to", |m| on(m, status::peers)),
    // A supervisor has no key.
    Route::new(GET, paths::HEALTHZ, "whether the node is ready", |m| on(m, status::healthz)).open(),
    Route::new(GET, paths::METRICS, "metrics as OpenMetrics text", |m| on(m, metrics::metrics)),
    Route::new(POST, paths::ASK, "a query; the answer line by line", |m| on(m, ask::ask)),
    Route::new(GET, paths::ACCOUNT, "an owner's account", |m| on(m, ledger::account)),
    Route::new(POST, paths::TRANSACTIONS, "submits a transaction", |m| on(m, ledger::submit)),
    Route::new(GET, paths::TRANSACTION, "the state of a transaction", |m| on(m, ledger::transaction)),
    Route::new(GET, paths::SUBNETS, "all subnets", |m| on(m, subnets::subnets)),
    Route::new(GET, paths::SUBNET, "a subnet and its metagraph", |m| on(m, subnets::subnet)),
    Route::new(GET, paths::NODE, "a node of the ledger", |m| on(m, subnets::node)),
    Route::new(GET, paths::CHECKPOINTS, "a page of checkpoints", |m| on(m, proofs::checkpoints)),
    Route::new(GET, paths::CHECKPOINT, "a block with its certificate", |m| on(m, proofs::checkpoint)),
    Route::new(GET, paths::FACTS, "a state proof", |m| on(m, proofs::state_proof)),
    Route::new(GET, paths::EPOCH, "the proof of a node's last epoch", |m| on(m, proofs::epoch)),
    Route::new(GET, paths::ANCHORED, "a checkpoint as it was anchored", |m| on(m, proofs::anchored)),
];

/// The routes that a gateway has as well.
pub const OPENAI_ROUTES: &[Route] = &[
    Route::new(GET, paths::MODELS, "models and capabilities", |m| on(m, models::list)),
    Route::new(GET, paths::MODEL, "a model or capability", |m| on(m, models::one)),
    Route::new(POST, paths::CHAT_COMPLETIONS, "chat completions", |m| on(m, chat::chat)),
    Route::new(POST, paths::COMPLETIONS, "completions", |m| on(m, completions::completions)),
    Route::new(POST, paths::EMBEDDINGS, "embeddings", |m| on(m, embeddings::embeddings)),
    Route::new(GET, paths::TRACE, "the trace of an answer", |m| on(m, traces::trace)),
];

/// The routes that the node serves.
fn served(openai: bool) -> impl Iterator<Item = &'static Route> {
    let openai: &[Route] = if openai { OPENAI_ROUTES } else { &[] };
    NODE_ROUTES.iter().chain(openai)
}

/// Whether the path needs no key.
pub(super) fn is_open(path: &str) -> bool {
    NODE_ROUTES.iter().any(|route| route.access == RouteAccess::Open && route.path == path)
}

/// The routes, behind the guard and the counters.
pub(super) fn router(app: App) -> Router {
    served(app.config.openai)
        .fold(Router::new(), |router, route| router.route(route.path, (route.handler)(route.method)))
        .fallback(not_found)
        .method_not_allowed_fallback(wrong_method)
        .layer(middleware::from_fn_with_state(app.clone(), guard::guard))
        .layer(middleware::from_fn_with_state(app.clone(), metrics::count))
        .with_state(app)
}

/// 404 with the list of endpoints.
async fn not_found(State(app): State<App>, request: Request) -> ApiError {
    let path = request.uri().path();
    let all: Vec<String> =
        served(app.config.openai).map(|route| format!("{} {}", route.method(), route.path())).collect();
    let note = if path.starts_with("/v1") && !app.config.openai {
        " (this node is not a gateway: /v1 is served by nodes that joined with --role gateway)"
    } else {
        ""
    };
    let all = all.join(", ");
    ApiError::not_found(format!("no endpoint {}{note}; the endpoints are: {all}", excerpt(path)))
}

/// 405 for a known path. axum adds the `Allow` header.
async fn wrong_method(request: Request) -> ApiError {
    ApiError::wrong_method(format!("{} does not take {}", excerpt(request.uri().path()), request.method()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The documentation of the API.
    const DOCUMENTATION: &str =
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/protocol/http.md"));

    #[test]
    fn documents_every_route() {
        for route in served(true) {
            let heading = format!("`{} {}`", route.method(), route.path());
            assert!(DOCUMENTATION.contains(&heading), "docs/protocol/http.md lacks {heading}");
            assert!(!route.summary().is_empty(), "{heading}");
        }
    }

    #[test]
    fn opens_the_health_check_alone_without_a_key() {
        let open: Vec<_> = served(true).filter(|route| route.access() == RouteAccess::Open).collect();
        assert_eq!(open.len(), 1);
        assert!(is_open(paths::HEALTHZ) && !is_open(paths::STATUS));
    }
}
