//! The sockets under an HTTP API: accepting, deadlines of a connection, and stopping.
//!
//! HTTP/1.1 only: every client of the OpenAI API speaks it, and it has no streams to flood or headers to inflate. Deadlines lie
//! where a client can dawdle: hyper's for headers, which also bounds idling between requests; the body's
//! ([`super::body`]); and a write deadline on the socket, so that a client which does not read its answer is cut, and with the
//! connection goes the answer and the expert.
//!
//! Stopping: no new connections; those at rest close at once; answers in progress get [`Limits::grace`], then are cut. A
//! cut answer lacks its last word (`[DONE]`, `done`) and its last chunk, so no client takes it for a whole one.

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

use super::config::Limits;

/// Longest request line and headers, in bytes.
const MAX_HEAD: usize = 32 * 1024;

/// Most headers of a request.
const MAX_HEADERS: usize = 64;

/// Pause after a failure to accept (no file descriptors left, mostly): it will not pass sooner by trying faster.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves `router` on `listener` until `stop`, then until every answer in progress has ended or its grace is over.
pub(crate) async fn serve(listener: TcpListener, router: Router, limits: Limits, stop: CancellationToken) {
    let grace = limits.grace;
    let tracked = TaskTracker::new();
    let places = Arc::new(Semaphore::new(permits(limits.connections.get())));
    let connections = Connections { router, limits: Arc::new(limits), stop, cut: CancellationToken::new() };
    while let Some((socket, place)) = connections.accept(&listener, &places).await {
        tracked.spawn(connections.clone().serve(socket, place));
    }
    drop(listener);
    tracked.close();
    if timeout(grace, tracked.wait()).await.is_err() {
        tracing::info!(connections = tracked.len(), "cutting HTTP connections that outlast the grace");
        connections.cut.cancel();
        tracked.wait().await;
    }
}

/// What each connection needs.
#[derive(Clone)]
struct Connections {
    router: Router,
    limits: Arc<Limits>,
    /// No new requests.
    stop: CancellationToken,
    /// No more of anything.
    cut: CancellationToken,
}

impl Connections {
    /// The next connection; none when stopping. Waits for a place first: beyond the cap, clients queue in the kernel.
    async fn accept(
        &self,
        listener: &TcpListener,
        places: &Arc<Semaphore>,
    ) -> Option<(TcpStream, OwnedSemaphorePermit)> {
        let next = async {
            let place = places.clone().acquire_owned().await.ok()?;
            loop {
                match listener.accept().await {
                    Ok((socket, _)) => return Some((socket, place)),
                    Err(error) => {
                        tracing::warn!(%error, "cannot accept an HTTP connection");
                        sleep(ACCEPT_PAUSE).await;
                    }
                }
            }
        };
        self.stop.run_until_cancelled(next).await.flatten()
    }

    /// One connection, to its end.
    async fn serve(self, socket: TcpStream, _place: OwnedSemaphorePermit) {
        let limits = &self.limits;
        // Small chunks of a stream must not wait for each other. A failure here costs latency only.
        let _ = socket.set_nodelay(true);
        let mut socket = TimeoutStream::new(socket);
        socket.set_write_timeout(Some(limits.write_timeout));
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(limits.header_timeout)
            .max_buf_size(MAX_HEAD)
            .max_headers(MAX_HEADERS)
            .serve_connection(TokioIo::new(Box::pin(socket)), TowerToHyperService::new(self.router));
        let mut connection = pin!(connection);
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = self.stop.cancelled() => {
                connection.as_mut().graceful_shutdown();
                self.cut.run_until_cancelled(connection).await.unwrap_or(Ok(()))
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%error, "an HTTP connection broke off");
        }
    }
}

/// A count as a semaphore takes it.
pub(super) fn permits(count: u32) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS)
}
