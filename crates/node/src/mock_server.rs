//! The mock model server: a small process that speaks the OpenAI API on loopback and answers by program.
//!
//! What it knows is in [`nervure_mock_server`]; this is its HTTP. It says what it is wherever somebody may look: in
//! the names and the owner of its models, in every answer, and in its errors.
//!
//! # What a hostile client can do
//! It listens on loopback only. Connections, headers, bodies and questions at once are bounded as those of the gateway
//! are, with smaller numbers; prompts that are too long are not looked at; an answer is as long as a number or the list
//! that was asked about, and there is nothing here to find out or to change.

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
use nervure_mock_server::{LISTED_MODELS, MockModel, ModelKind};
use tokio::{
    net::TcpListener,
    sync::{OwnedSemaphorePermit, Semaphore},
};
use tokio_util::sync::CancellationToken;

use crate::gateway::{ApiError, Bounded, Limits, excerpt, serve};

/// Questions at once; more are told to come again.
const QUESTIONS: NonZeroU32 = NonZeroU32::MIN.saturating_add(63);

/// Connections at once; more wait to be accepted.
const CONNECTIONS: NonZeroU32 = NonZeroU32::MIN.saturating_add(255);

/// Longest request, in bytes: 256 KiB of text, written with escapes.
const BODY: NonZeroUsize = NonZeroUsize::MIN.saturating_add((1 << 19) - 1);

/// When a client that found no room may come back.
const COME_AGAIN: Duration = Duration::from_secs(1);

/// Why it does not start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MockServerError {
    /// An address that others can reach.
    #[error("the mock model server listens on loopback only, and {0} is not: it has no keys and is no model")]
    NotLoopback(SocketAddr),
    /// The address cannot be bound.
    #[error("the mock model server cannot listen on {listen}: {source}")]
    Bind {
        /// The address.
        listen: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
}

impl MockServerError {
    /// Whether somebody else has the port.
    pub(crate) fn port_in_use(&self) -> bool {
        matches!(self, Self::Bind { source, .. } if source.kind() == io::ErrorKind::AddrInUse)
    }
}

/// The mock model server, bound and not yet running.
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

    /// Where it listens.
    pub(crate) fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Answers until `stop`.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let limits = Limits {
            body: BODY,
            questions: QUESTIONS,
            connections: CONNECTIONS,
            grace: Duration::from_secs(1),
            ..Limits::default()
        };
        let slots = Arc::new(Semaphore::new(QUESTIONS.get() as usize));
        let app = Arc::new(Shared { limits: limits.clone(), slots });
        serve(self.listener, router(app), limits, stop).await;
    }
}

/// What the handlers share.
struct Shared {
    limits: Limits,
    slots: Arc<Semaphore>,
}

type App = Arc<Shared>;

impl Bounded for App {
    fn limits(&self) -> &Limits {
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

/// A place among the questions in progress, taken before a body is read.
struct Slot(#[expect(dead_code, reason = "held for its drop")] OwnedSemaphorePermit);

impl FromRequestParts<App> for Slot {
    type Rejection = ApiError;

    async fn from_request_parts(_: &mut Parts, app: &App) -> Result<Self, ApiError> {
        app.slots.clone().try_acquire_owned().map(Self).map_err(|_| {
            let message = format!("the mock model server already works on {QUESTIONS} questions");
            ApiError::new(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", message).retry_after(COME_AGAIN)
        })
    }
}

/// The mock model server called `model`, which must do this.
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
