//! The server: a thread with an endpoint, a task for each connection and each query.

mod connection;
mod metrics;
mod reply;

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    thread::JoinHandle,
};

use futures::future::BoxFuture;
use nervure_primitives::NodeId;
use parking_lot::Mutex;
use quinn::{Endpoint, Incoming, TokioRuntime};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{QueryOpen, ServerConfig, StartError, stream, tls};
use crate::{Admission, rate::Rates};

pub use metrics::ServerMetrics;
pub use reply::{Gone, Replier};

/// Queries in progress on streams of the swarm; more are refused.
const MAX_SWARM_QUERIES: usize = 256;

/// A query that passed admission.
pub struct InboundQuery {
    /// The asker, as its certificate proves.
    pub from: NodeId,
    /// The query.
    pub open: QueryOpen,
    /// Sends the answer.
    pub reply: Replier,
}

/// Answers queries.
pub trait QueryService: Send + Sync + 'static {
    /// Answers one query. Runs on the endpoint's thread, so heavy work has to run on another one.
    fn serve(&self, query: InboundQuery) -> BoxFuture<'static, ()>;
}

/// The state that the tasks of an endpoint share.
struct Shared {
    config: ServerConfig,
    admission: Arc<dyn Admission>,
    service: Arc<dyn QueryService>,
    rates: Mutex<Rates<NodeId>>,
    places: Mutex<BTreeMap<IpAddr, usize>>,
    stop: CancellationToken,
    tasks: TaskTracker,
    /// Bounds queries on streams of the swarm, to which the limits on connections do not apply.
    swarm_places: Arc<Semaphore>,
    /// Bounds queries in progress in all.
    places_for_queries: Arc<Semaphore>,
    /// Memory for long queries in all, in KiB.
    memory: Arc<Semaphore>,
}

impl Shared {
    fn metrics(&self) -> &ServerMetrics {
        &self.config.metrics
    }
}

/// A running endpoint. Dropping it stops it.
pub struct QueryServer {
    local: SocketAddr,
    stop: CancellationToken,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl QueryServer {
    /// Binds the socket and starts the thread.
    ///
    /// # Errors
    /// When the address cannot be bound.
    pub fn start(
        config: ServerConfig,
        admission: Arc<dyn Admission>,
        service: Arc<dyn QueryService>,
    ) -> Result<Self, StartError> {
        let (quic, endpoint) = (tls::server(&config)?, tls::endpoint(&config.key));
        let bind = |source| StartError::Bind { address: config.bind, source };
        let socket = tls::socket(config.bind).map_err(bind)?;
        let local = socket.local_addr().map_err(bind)?;
        let stop = CancellationToken::new();
        let (queries, memory) = (config.queries.get(), config.memory_kib.get());
        let shared = Arc::new(Shared {
            config,
            admission,
            service,
            rates: Mutex::new(Rates::new()),
            places: Mutex::default(),
            stop: stop.clone(),
            tasks: TaskTracker::new(),
            swarm_places: Arc::new(Semaphore::new(MAX_SWARM_QUERIES)),
            places_for_queries: Arc::new(Semaphore::new(queries)),
            memory: Arc::new(Semaphore::new(memory)),
        });
        let for_thread = shared.clone();
        let thread = super::client::on_own_thread("query-server", move || async move {
            match Endpoint::new(endpoint, Some(quic), socket, Arc::new(TokioRuntime)) {
                Ok(endpoint) => accept(endpoint, for_thread).await,
                Err(error) => tracing::error!(%error, "the query endpoint did not start"),
            }
        })?;
        Ok(Self { local, stop, shared, thread: Some(thread) })
    }

    /// The address that it listens on.
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// Answers the query that `from` sends on a stream of the swarm. Runs on the current runtime.
    pub fn answer_on(&self, from: NodeId, stream: libp2p::Stream) {
        let Ok(place) = self.shared.swarm_places.clone().try_acquire_owned() else {
            // Dropping the stream tells the asker.
            self.shared.metrics().refused.inc();
            return;
        };
        let left = CancellationToken::new();
        let answer = connection::query(self.shared.clone(), from, stream::split(stream, left.clone()), left);
        self.shared.tasks.spawn(async move {
            answer.await;
            drop(place);
        });
    }

    /// Its metrics.
    pub fn metrics(&self) -> &ServerMetrics {
        self.shared.metrics()
    }
}

impl Drop for QueryServer {
    fn drop(&mut self) {
        self.stop.cancel();
        if let Some(thread) = self.thread.take() {
            // The thread ends once every task has seen the token. A panic was printed there, so its error is dropped.
            let _ = thread.join();
        }
    }
}

async fn accept(endpoint: Endpoint, shared: Arc<Shared>) {
    loop {
        let incoming = tokio::select! {
            () = shared.stop.cancelled() => break,
            incoming = endpoint.accept() => incoming,
        };
        let Some(incoming) = incoming else { break };
        admit(&endpoint, incoming, &shared);
    }
    endpoint.close(0u32.into(), b"stopping");
    shared.tasks.close();
    shared.tasks.wait().await;
    // The close has to reach the peers: they would wait for their idle timeout otherwise.
    endpoint.wait_idle().await;
}

/// Admits or refuses a connection before any TLS work is done for it.
fn admit(endpoint: &Endpoint, incoming: Incoming, shared: &Arc<Shared>) {
    let (open, most) = (endpoint.open_connections(), shared.config.connections.get());
    // A retry makes the client prove its address before this node keeps state: spoofed sources cannot fill
    // the table. It costs a round trip, so it is asked for only under load.
    if open > most / 2 && incoming.may_retry() && !incoming.remote_address_validated() {
        shared.metrics().retried.inc();
        // Fails only when the address is validated already.
        let _ = incoming.retry();
        return;
    }
    let place = ConnectionGuard::take(shared, incoming.remote_address().ip());
    // The filter drops the guard of a connection that is refused, which gives its place back.
    let Some(place) = place.filter(|_| open < most) else {
        shared.metrics().refused.inc();
        return incoming.refuse();
    };
    let task = connection::run(incoming, shared.clone(), place);
    shared.tasks.spawn(task);
}

/// One of the connections that a network may have; released on drop.
struct ConnectionGuard {
    shared: Arc<Shared>,
    network: IpAddr,
}

impl ConnectionGuard {
    fn take(shared: &Arc<Shared>, address: IpAddr) -> Option<Self> {
        let network = network(address);
        let mut places = shared.places.lock();
        let used = places.entry(network).or_default();
        // Loopback is exempt: processes of this host share one address.
        if *used >= shared.config.connections_per_subnet.get() && !address.to_canonical().is_loopback() {
            return None;
        }
        *used += 1;
        Some(Self { shared: shared.clone(), network })
    }
}

impl Drop for ConnectionGuard {
    fn drop(&mut self) {
        let mut places = self.shared.places.lock();
        if let Some(used) = places.get_mut(&self.network) {
            *used -= 1;
            if *used == 0 {
                places.remove(&self.network);
            }
        }
    }
}

/// The /24 or /48 that `address` is in.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(v4) => {
            let [a, b, c, _] = v4.octets();
            IpAddr::from([a, b, c, 0])
        }
        IpAddr::V6(v6) => {
            let [a, b, c, ..] = v6.segments();
            IpAddr::from([a, b, c, 0, 0, 0, 0, 0])
        }
    }
}
