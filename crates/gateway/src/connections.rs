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

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{sleep, timeout},
};
use tokio_io_timeout::TimeoutStream;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::config::HttpLimits;

/// Longest request line and headers, in bytes.
const MAX_HEAD_BYTES: usize = 32 * 1024;

/// Maximum number of headers of a request.
const MAX_HEADERS: usize = 64;

/// Pause after a failure to accept, mostly for lack of file descriptors: retrying faster would only burn CPU.
const ACCEPT_RETRY_DELAY: Duration = Duration::from_millis(100);

/// Serves `router` on `listener` until `stop`, then until every answer in progress has ended or
/// [`HttpLimits::shutdown_timeout`] has passed.
pub async fn serve(listener: TcpListener, router: Router, limits: HttpLimits, stop: CancellationToken) {
    let shutdown_timeout = limits.shutdown_timeout;
    let tracked = TaskTracker::new();
    let connection_permits = Arc::new(Semaphore::new(permit_count(limits.max_connections.get())));
    let connections = Connections { router, limits: Arc::new(limits), stop, cut: CancellationToken::new() };
    while let Some((socket, permit)) = connections.accept(&listener, &connection_permits).await {
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

/// Shared by all connections.
#[derive(Clone)]
struct Connections {
    router: Router,
    limits: Arc<HttpLimits>,
    /// No new requests.
    stop: CancellationToken,
    /// Answers in progress are cut off.
    cut: CancellationToken,
}

impl Connections {
    /// The next connection; none when stopping. Waits for a permit first: beyond the cap, clients queue in the kernel.
    async fn accept(
        &self,
        listener: &TcpListener,
        connection_permits: &Arc<Semaphore>,
    ) -> Option<(TcpStream, OwnedSemaphorePermit)> {
        let next = async {
            let permit = connection_permits.clone().acquire_owned().await.ok()?;
            loop {
                match listener.accept().await {
                    Ok((socket, _)) => return Some((socket, permit)),
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
    async fn serve(self, socket: TcpStream, _permit: OwnedSemaphorePermit) {
        let limits = &self.limits;
        // Small chunks of a stream must not wait for each other. A failure here costs latency only.
        let _ = socket.set_nodelay(true);
        let mut socket = TimeoutStream::new(socket);
        socket.set_write_timeout(Some(limits.write_timeout));
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            // Against clients that send one header byte at a time (Slowloris).
            .header_read_timeout(limits.header_timeout)
            .max_buf_size(MAX_HEAD_BYTES)
            .max_headers(MAX_HEADERS)
            .serve_connection(TokioIo::new(Box::pin(socket)), TowerToHyperService::new(self.router));
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

/// A count as a semaphore takes it.
pub(super) fn permit_count(count: u32) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS)
}
