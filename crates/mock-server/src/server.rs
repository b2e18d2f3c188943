//! The HTTP server: the OpenAI API on loopback.
//!
//! # What a hostile client can do
//! The server listens on loopback only. Connections, headers, bodies and concurrent requests are bounded as those of the
//! gateway are, with smaller numbers. Prompts that are too long are not read, and an answer is at most as long as the list
//! in its prompt. The server has no secrets and no state that a client could change.

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
    http::request::Parts,
    routing::{get, post},
};
use nervure_gateway::{ApiError, ApiErrorCode, HasLimits, HttpLimits, serve};
use nervure_primitives::Excerpt;
use tokio::{
    net::TcpListener,
    sync::{OwnedSemaphorePermit, Semaphore},
};
use tokio_util::sync::CancellationToken;

use crate::{LISTED_MODELS, MockModel, ModelKind};

/// Most requests in progress; further ones are refused with `Retry-After`.
const MAX_REQUESTS: NonZeroU32 = NonZeroU32::MIN.saturating_add(63);

/// Most connections; further ones wait to be accepted.
const MAX_CONNECTIONS: NonZeroU32 = NonZeroU32::MIN.saturating_add(255);

/// Longest request body, in bytes: 256 KiB of text with JSON escapes.
const MAX_BODY_BYTES: NonZeroUsize = NonZeroUsize::MIN.saturating_add((1 << 19) - 1);

/// How long a refused client waits before its next try.
const RETRY_DELAY: Duration = Duration::from_secs(1);

/// How long answers in progress may take after the server was stopped.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(1);

/// Why the server does not start.
#[derive(Debug, thiserror::Error)]
pub enum MockServerError {
    /// Other hosts could reach the address.
    #[error(
        "the mock model server has no API keys and listens on loopback only: {0} is not a loopback address"
    )]
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
    /// Whether another process uses the port.
    #[must_use]
    pub fn port_in_use(&self) -> bool {
        matches!(self, Self::Bind { source, .. } if source.kind() == io::ErrorKind::AddrInUse)
    }
}

/// The server, bound to its address but not yet running.
#[derive(Debug)]
pub struct MockServer {
    listener: TcpListener,
    local_addr: SocketAddr,
}

impl MockServer {
    /// Binds to a loopback address; with port 0 the system chooses a port.
    ///
    /// # Errors
    /// When the address is not a loopback address or cannot be bound.
    pub async fn bind(listen: SocketAddr) -> Result<Self, MockServerError> {
        if !listen.ip().is_loopback() {
            return Err(MockServerError::NotLoopback(listen));
        }
        let failed = |source| MockServerError::Bind { listen, source };
        let listener = TcpListener::bind(listen).await.map_err(failed)?;
        let local_addr = listener.local_addr().map_err(failed)?;
        Ok(Self { listener, local_addr })
    }

    /// The address that it is bound to.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Serves requests until `stop`.
    pub async fn run(self, stop: CancellationToken) {
        let limits = HttpLimits {
            max_body: MAX_BODY_BYTES,
            max_queries: MAX_REQUESTS,
            max_connections: MAX_CONNECTIONS,
            shutdown_timeout: SHUTDOWN_TIMEOUT,
            ..HttpLimits::default()
        };
        let permits = Arc::new(Semaphore::new(MAX_REQUESTS.get() as usize));
        let app = Arc::new(ServerState { limits: limits.clone(), permits });
        serve(self.listener, router(app), limits, stop).await;
    }
}

/// The state that the handlers share.
struct ServerState {
    limits: HttpLimits,
    /// One permit per request in progress.
    permits: Arc<Semaphore>,
}

/// The state of the router.
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
    let path = Excerpt::new(request.uri().path());
    ApiError::not_found(format!(
        "this is a mock model server without {path}; it has /v1/models, /v1/chat/completions, /v1/completions and \
         /v1/embeddings"
    ))
}

/// The permit of a request in progress. It is the first extractor, so that it is taken before the body is read.
struct RequestPermit(#[expect(dead_code, reason = "held for its drop")] OwnedSemaphorePermit);

impl FromRequestParts<App> for RequestPermit {
    type Rejection = ApiError;

    async fn from_request_parts(_: &mut Parts, app: &App) -> Result<Self, ApiError> {
        app.permits.clone().try_acquire_owned().map(Self).map_err(|_| {
            let message = format!("the mock model server already has {MAX_REQUESTS} requests in progress");
            ApiError::new(ApiErrorCode::TooManyRequests, message).retry_after(RETRY_DELAY)
        })
    }
}

/// The model called `name`, if it serves requests of `kind`.
fn find_model(name: &str, kind: ModelKind) -> Result<MockModel, ApiError> {
    MockModel::named(name).filter(|model| model.kind() == kind).ok_or_else(|| {
        let known = LISTED_MODELS.iter().filter(|listed| listed.kind() == kind).map(ToString::to_string);
        let known = known.collect::<Vec<_>>().join(", ");
        let message =
            format!("the mock model server has no model '{}' for this: it has {known}", Excerpt::new(name));
        ApiError::new(ApiErrorCode::ModelNotFound, message)
    })
}

#[cfg(test)]
mod tests;
