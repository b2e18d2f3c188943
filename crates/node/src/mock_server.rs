//! The mock model server: a small process that speaks the OpenAI API on loopback and answers without a model.
//!
//! The answers are in [`nervure_mock_server`]; this is the HTTP server. Users can recognise it by the names and the
//! owner of its models, by every answer, and by its errors.
//!
//! # What a hostile client can do
//! It listens on loopback only. Connections, headers, bodies and concurrent queries are bounded like the gateway's,
//! with smaller numbers. Prompts that are too long are not parsed. An answer is at most as long as the list in the
//! question. The server has no secrets and no state.

mod embeddings;
mod models;
mod text;

use std::{
    io,
    net::SocketAddr,
    num::{NonZeroU32, NonZeroUsize},
    sync::Arc,
    time::Duration,
};

use axum::{
    Router,
    extract::{FromRequestParts, Request},
    http::{StatusCode, request::Parts},
    routing::{get, post},
};
use nervure_gateway::{ApiError, HasLimits, HttpLimits, excerpt, serve};
use nervure_mock_server::{LISTED_MODELS, MockModel, ModelKind};
use tokio::{
    net::TcpListener,
    sync::{OwnedSemaphorePermit, Semaphore},
};
use tokio_util::sync::CancellationToken;

/// Maximum concurrent queries; more get an error with a time to retry.
const MAX_QUERIES: NonZeroU32 = NonZeroU32::MIN.saturating_add(63);

/// Maximum connections; more wait to be accepted.
const MAX_CONNECTIONS: NonZeroU32 = NonZeroU32::MIN.saturating_add(255);

/// Longest request: 256 KiB of text with escapes.
const MAX_BODY_BYTES: NonZeroUsize = NonZeroUsize::MIN.saturating_add((1 << 19) - 1);

/// When a refused client may retry.
const RETRY_DELAY: Duration = Duration::from_secs(1);

/// Why the mock model server does not start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MockServerError {
    /// An address that others can reach.
    #[error("the mock model server listens on loopback only, and {0} is not: it has no API keys")]
    NotLoopback(SocketAddr),
    /// The address cannot be bound.
    #[error("the mock model server cannot listen on {listen}: {source}")]
    Bind {
        /// The address.
        listen: SocketAddr,
        /// The error of the system.
        source: io::Error,
    },
}

impl MockServerError {
    /// Whether the port is in use.
    pub(crate) fn port_in_use(&self) -> bool {
        matches!(self, Self::Bind { source, .. } if source.kind() == io::ErrorKind::AddrInUse)
    }
}

/// A mock model server that is bound and not yet running.
pub(crate) struct MockServer {
    listener: TcpListener,
    local_addr: SocketAddr,
}

impl MockServer {
    /// Binds to a loopback address; port 0 lets the system choose.
    pub(crate) async fn bind(listen: SocketAddr) -> Result<Self, MockServerError> {
        if !listen.ip().is_loopback() {
            return Err(MockServerError::NotLoopback(listen));
        }
        let failed = |source| MockServerError::Bind { listen, source };
        let listener = TcpListener::bind(listen).await.map_err(failed)?;
        let local_addr = listener.local_addr().map_err(failed)?;
        Ok(Self { listener, local_addr })
    }

    /// The address that it listens on.
    pub(crate) fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Answers until `stop`.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let limits = HttpLimits {
            max_body: MAX_BODY_BYTES,
            max_queries: MAX_QUERIES,
            max_connections: MAX_CONNECTIONS,
            shutdown_timeout: Duration::from_secs(1),
            ..HttpLimits::default()
        };
        let slots = Arc::new(Semaphore::new(MAX_QUERIES.get() as usize));
        let app = Arc::new(ServerState { limits: limits.clone(), slots });
        serve(self.listener, router(app), limits, stop).await;
    }
}

/// The state that the handlers share.
struct ServerState {
    limits: HttpLimits,
    slots: Arc<Semaphore>,
}

type App = Arc<ServerState>;

impl HasLimits for ServerState {
    fn limits(&self) -> &HttpLimits {
        &self.limits
    }
}

fn router(app: App) -> Router {
    Router::new()
        .route("/v1/models", get(models::list))
        .route("/v1/models/{id}", get(models::one))
        .route("/v1/chat/completions", post(text::chat))
        .route("/v1/completions", post(text::completions))
        .route("/v1/embeddings", post(embeddings::embeddings))
        .fallback(not_found)
        .with_state(app)
}

async fn not_found(request: Request) -> ApiError {
    let path = excerpt(request.uri().path());
    ApiError::not_found(format!(
        "this is a mock model server and has no {path}; it has /v1/models, /v1/chat/completions, /v1/completions \
         and /v1/embeddings"
    ))
}

/// One of the concurrent queries, taken before the body is read.
struct Slot(#[expect(dead_code, reason = "held for its drop")] OwnedSemaphorePermit);

impl FromRequestParts<App> for Slot {
    type Rejection = ApiError;

    async fn from_request_parts(_: &mut Parts, app: &App) -> Result<Self, ApiError> {
        app.slots.clone().try_acquire_owned().map(Self).map_err(|_| {
            let message = format!("the mock model server already answers {MAX_QUERIES} queries");
            ApiError::new(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", message)
                .retry_after(RETRY_DELAY)
        })
    }
}

/// The mock model with this name, which must be of this kind.
fn named(model: &str, kind: ModelKind) -> Result<MockModel, ApiError> {
    MockModel::named(model).filter(|mock_server| mock_server.kind() == kind).ok_or_else(|| {
        let known = LISTED_MODELS.iter().filter(|listed| listed.kind() == kind).map(ToString::to_string);
        let known = known.collect::<Vec<_>>().join(", ");
        let message =
            format!("the mock model server has no model '{}' for this: it has {known}", excerpt(model));
        ApiError::new(StatusCode::NOT_FOUND, "model_not_found", message)
    })
}

#[cfg(test)]
mod tests;
