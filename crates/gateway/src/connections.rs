//! The sockets under an HTTP API: accepting, deadlines of a connection, and stopping.
//!
//! HTTP/1.1 only: every client of the OpenAI API speaks it, and it has no streams to flood or headers to inflate. There
//! is a deadline wherever a client can stall: hyper's for headers, which also bounds idling between requests; the
//! body's ([`super::body`]); and a write deadline on the socket. A client that does not read its answer is
//! disconnected, which also frees the expert.
//!
//! Stopping: no new connections; idle ones close at once; answers in progress get [`HttpLimits::shutdown_timeout`],
//! then are cut off. Such an answer lacks its last line (`[DONE]`, `done`) and its last chunk, so no client takes it
//! for a complete one.

use std::{pin::pin, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::Request,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
};
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use nervure_api::{ApiErrorCode, paths};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{sleep, timeout},
};
use tokio_io_timeout::TimeoutStream;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{config::HttpLimits, error::ApiError};

/// Longest request line and headers, in bytes.
const MAX_HEAD_BYTES: usize = 32 * 1024;

/// When a client may try again that found only the reserve.
const RESERVE_RETRY_DELAY: Duration = Duration::from_secs(1);

/// Time for the headers on a connection of the reserve, which is for one request.
const RESERVE_HEADER_TIMEOUT: Duration = Duration::from_secs(2);

/// Header with the name of a request, by which client and operator find it in their logs.
pub(crate) const REQUEST_ID_HEADER: &str = "x-request-id";

/// Longest name of a request that is taken from its client, in bytes.
const MAX_REQUEST_ID_BYTES: usize = 128;

/// Maximum number of headers of a request.
const MAX_HEADERS: usize = 64;

/// Pause after a failure to accept, mostly for lack of file descriptors: retrying faster would only burn CPU.
const ACCEPT_RETRY_DELAY: Duration = Duration::from_millis(100);

/// Serves `router` on `listener` until `stop`, then until every answer in progress has ended or
/// [`HttpLimits::shutdown_timeout`] has passed.
pub async fn serve(listener: TcpListener, router: Router, limits: HttpLimits, stop: CancellationToken) {
    let shutdown_timeout = limits.shutdown_timeout;
    let tracked = TaskTracker::new();
    let permits = ConnectionPermits {
        usual: semaphore(limits.max_connections.get()),
        reserve: semaphore(limits.reserved_connections.get()),
    };
    let reserve = router.clone().layer(middleware::from_fn(reserved_only));
    let connections = Connections {
        router: router.layer(middleware::from_fn(frame)),
        reserve: reserve.layer(middleware::from_fn(frame)),
        limits: Arc::new(limits),
        stop,
        cut: CancellationToken::new(),
    };
    while let Some((socket, permit)) = connections.accept(&listener, &permits).await {
        tracked.spawn(connections.clone().serve(socket, permit));
    }
    drop(listener);
    tracked.close();
    if timeout(shutdown_timeout, tracked.wait()).await.is_err() {
        tracing::info!(
            connections = tracked.len(),
            "closing HTTP connections that outlast the shutdown timeout"
        );
        connections.cut.cancel();
        tracked.wait().await;
    }
}

/// Permits for connections.
struct ConnectionPermits {
    usual: Arc<Semaphore>,
    /// For connections beyond them, which are served what operators need.
    reserve: Arc<Semaphore>,
}

/// The permit of a connection.
enum ConnectionPermit {
    Usual(#[expect(dead_code, reason = "held for its drop")] OwnedSemaphorePermit),
    Reserve(#[expect(dead_code, reason = "held for its drop")] OwnedSemaphorePermit),
}

fn semaphore(count: u32) -> Arc<Semaphore> {
    Arc::new(Semaphore::new(usize::try_from(count).unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS)))
}

/// Refuses a head beyond [`MAX_HEAD_BYTES`]: hyper bounds its buffer, into which a larger head fits when it arrives in few
/// pieces. Every response forbids guessing its type, because an answer's text must not be taken for a page, and has the
/// request's name.
async fn frame(request: Request, next: Next) -> Response {
    let id = request_id(request.headers());
    // Each name and value with its colon, blank and line end.
    let headers = request.headers().iter().map(|(name, value)| name.as_str().len() + value.len() + 4);
    let target = request.uri().path_and_query().map_or(0, |target| target.as_str().len());
    let mut response = match target + headers.sum::<usize>() > MAX_HEAD_BYTES {
        true => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE.into_response(),
        false => next.run(request).await,
    };
    response.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response.headers_mut().insert(REQUEST_ID_HEADER, id);
    response
}

/// The client's name for its request if it is short and printable, else a new one.
fn request_id(headers: &HeaderMap) -> HeaderValue {
    let own = headers.get(REQUEST_ID_HEADER).filter(|id| {
        (1..=MAX_REQUEST_ID_BYTES).contains(&id.len()) && id.as_bytes().iter().all(u8::is_ascii_graphic)
    });
    let new = || HeaderValue::try_from(format!("req_{:032x}", rand::random::<u128>()));
    own.cloned().or_else(|| new().ok()).unwrap_or(HeaderValue::from_static("req_0"))
}

/// What a connection of the reserve is served.
pub(crate) const RESERVED_PATHS: [&str; 4] = [paths::HEALTHZ, paths::METRICS, paths::STATUS, paths::PEERS];

/// Refuses what is not for operators.
async fn reserved_only(request: Request, next: Next) -> Response {
    if RESERVED_PATHS.contains(&request.uri().path()) {
        return next.run(request).await;
    }
    let error = ApiError::new(ApiErrorCode::Unavailable, "this node has as many connections as it accepts");
    error.retry_after(RESERVE_RETRY_DELAY).into_response()
}

/// Shared by all connections.
#[derive(Clone)]
struct Connections {
    router: Router,
    /// What connections of the reserve are served by.
    reserve: Router,
    limits: Arc<HttpLimits>,
    /// No new requests.
    stop: CancellationToken,
    /// Answers in progress are cut off.
    cut: CancellationToken,
}

impl Connections {
    /// The next connection; none when stopping. Waits for a permit of the reserve first: beyond it, clients queue in the
    /// kernel.
    async fn accept(
        &self,
        listener: &TcpListener,
        permits: &ConnectionPermits,
    ) -> Option<(TcpStream, ConnectionPermit)> {
        let next = async {
            let reserve = permits.reserve.clone().acquire_owned().await.ok()?;
            loop {
                match listener.accept().await {
                    Ok((socket, _)) => {
                        let usual = permits.usual.clone().try_acquire_owned();
                        let permit =
                            usual.map_or(ConnectionPermit::Reserve(reserve), ConnectionPermit::Usual);
                        return Some((socket, permit));
                    }
                    Err(error) => {
                        tracing::warn!(%error, "cannot accept an HTTP connection");
                        sleep(ACCEPT_RETRY_DELAY).await;
                    }
                }
            }
        };
        self.stop.run_until_cancelled(next).await.flatten()
    }

    /// One connection, to its end.
    async fn serve(self, socket: TcpStream, permit: ConnectionPermit) {
        let limits = &self.limits;
        let is_reserve = matches!(permit, ConnectionPermit::Reserve(_));
        // Small chunks of a stream must not wait for each other. A failure here costs latency only.
        let _ = socket.set_nodelay(true);
        let mut socket = TimeoutStream::new(socket);
        socket.set_write_timeout(Some(limits.write_timeout));
        let (router, header_timeout) = match is_reserve {
            false => (self.router, limits.header_timeout),
            true => (self.reserve, limits.header_timeout.min(RESERVE_HEADER_TIMEOUT)),
        };
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            // Against clients that send one header byte at a time (Slowloris).
            .header_read_timeout(header_timeout)
            .keep_alive(!is_reserve)
            .max_buf_size(MAX_HEAD_BYTES)
            .max_headers(MAX_HEADERS)
            .serve_connection(TokioIo::new(Box::pin(socket)), TowerToHyperService::new(router));
        let mut connection = pin!(connection);
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = self.stop.cancelled() => {
                // Ends an idle connection at once, and one with an answer in progress after that answer.
                connection.as_mut().graceful_shutdown();
                self.cut.run_until_cancelled(connection).await.unwrap_or(Ok(()))
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%error, "an HTTP connection failed");
        }
    }
}
