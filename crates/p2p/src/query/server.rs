//! The server: a thread with an endpoint, a task for each connection and each query.

mod connection;
mod metrics;
mod places;
mod reply;

use std::{
    net::{SocketAddr, UdpSocket},
    sync::Arc,
    thread::JoinHandle,
    time::Instant,
};

use futures::future::BoxFuture;
use nervure_primitives::NodeId;
use nervure_protocol::{AskerClass, AskerStanding};
use parking_lot::Mutex;
use quinn::{Endpoint, Incoming, TokioRuntime};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{QueryOpen, ServerConfig, StartError, stream, tls};
use crate::{Admission, rate::Rates};
use places::{ClassPlaces, NetworkPlaces};

pub use metrics::ServerMetrics;
pub use reply::{Gone, Replier};

/// Queries in progress on streams of the swarm; more are refused.
const MAX_SWARM_QUERIES: usize = 256;

/// A query that passed admission.
pub struct InboundQuery {
    /// The asker, as its certificate proves.
    pub from: NodeId,
    /// Its class, when the query arrived.
    pub standing: AskerStanding,
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
    /// One bucket: that of all free keys.
    free_rate: Mutex<Rates<()>>,
    /// Bounds handshakes by network.
    handshakes: Arc<NetworkPlaces>,
    /// Bounds connections of free keys by network.
    networks: Arc<NetworkPlaces>,
    /// Bounds connections in all, by class.
    connections: Arc<ClassPlaces>,
    stop: CancellationToken,
    tasks: TaskTracker,
    /// Bounds queries on streams of the swarm, to which the limits on connections do not apply.
    swarm_queries: Arc<ClassPlaces>,
    /// Bounds queries in progress in all.
    queries: Arc<ClassPlaces>,
    /// Memory for long queries in all, in KiB.
    memory: Arc<Semaphore>,
}

impl Shared {
    fn new(config: ServerConfig, admission: Arc<dyn Admission>, service: Arc<dyn QueryService>) -> Self {
        let networks = || NetworkPlaces::new(config.connections_per_subnet.get(), config.loopback_is_exempt);
        Self {
            admission,
            service,
            rates: Mutex::new(Rates::new()),
            free_rate: Mutex::new(Rates::new()),
            handshakes: networks(),
            networks: networks(),
            connections: ClassPlaces::new(config.connections.get()),
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
            swarm_queries: ClassPlaces::new(MAX_SWARM_QUERIES),
            queries: ClassPlaces::new(config.queries.get()),
            memory: Arc::new(Semaphore::new(config.memory_kib.get())),
            config,
        }
    }

    /// Whether one more query of `from` is within its rate, and that of a free key within the rate of all of them.
    fn is_within_rate(&self, from: NodeId, class: AskerClass) -> bool {
        let now = Instant::now();
        let rate = self.config.classes.of(class).rate.get();
        self.rates.lock().take(from, rate, now)
            && (!class.is_free() || self.free_rate.lock().take((), self.config.free_rate.get(), now))
    }

    fn metrics(&self) -> &ServerMetrics {
        &self.config.metrics
    }
}

/// A running endpoint. Dropping it stops it.
pub struct QueryServer {
    /// Never empty.
    local: Vec<SocketAddr>,
    stop: CancellationToken,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl QueryServer {
    /// Binds the sockets and starts the thread.
    ///
    /// # Errors
    /// When there is no address, or one cannot be bound.
    pub fn start(
        config: ServerConfig,
        admission: Arc<dyn Admission>,
        service: Arc<dyn QueryService>,
    ) -> Result<Self, StartError> {
        let (quic, endpoint) = (tls::server(&config)?, tls::endpoint(&config.key));
        let bound = sockets(&config.bind)?;
        let local = bound.iter().map(|(address, _)| *address).collect();
        let shared = Arc::new(Shared::new(config, admission, service));
        let stop = shared.stop.clone();
        let for_thread = shared.clone();
        let thread = super::client::on_own_thread("query-server", move || async move {
            let start = |(_, socket)| {
                Endpoint::new(endpoint.clone(), Some(quic.clone()), socket, Arc::new(TokioRuntime))
            };
            match bound.into_iter().map(start).collect::<Result<Arc<[_]>, _>>() {
                Ok(endpoints) => accept_on_all(endpoints, for_thread).await,
                Err(error) => tracing::error!(%error, "the query endpoint did not start"),
            }
        })?;
        Ok(Self { local, stop, shared, thread: Some(thread) })
    }

    /// The first address that it listens on.
    pub fn local_addr(&self) -> SocketAddr {
        self.local[0]
    }

    /// The addresses that it listens on, in the order of the configuration.
    pub fn local_addrs(&self) -> &[SocketAddr] {
        &self.local
    }

    /// Answers the query that `from` sends on a stream of the swarm. Runs on the current runtime.
    pub fn answer_on(&self, from: NodeId, stream: libp2p::Stream) {
        let class = self.shared.admission.standing(&from).class;
        let Some(place) = self.shared.swarm_queries.take(class) else {
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

/// Binds a socket to each address. Those without a port get that of the first one, where it is free there: one port is
/// easier to open in a firewall than two.
fn sockets(addresses: &[SocketAddr]) -> Result<Vec<(SocketAddr, UdpSocket)>, StartError> {
    let mut bound: Vec<(SocketAddr, UdpSocket)> = Vec::new();
    for address in addresses {
        let failed = |source| StartError::Bind { address: *address, source };
        let first = bound.first().filter(|_| address.port() == 0).map(|(first, _)| first.port());
        let same = first.and_then(|port| tls::socket(SocketAddr::new(address.ip(), port)).ok());
        let socket = same.map_or_else(|| tls::socket(*address), Ok).map_err(failed)?;
        bound.push((socket.local_addr().map_err(failed)?, socket));
    }
    match bound.is_empty() {
        true => Err(StartError::Setup("no address to bind the query endpoint to".into())),
        false => Ok(bound),
    }
}

/// Accepts connections on all endpoints until the server stops.
async fn accept_on_all(endpoints: Arc<[Endpoint]>, shared: Arc<Shared>) {
    let accepting = endpoints.iter().map(|endpoint| accept(endpoint, &endpoints, &shared));
    futures::future::join_all(accepting).await;
    endpoints.iter().for_each(|endpoint| endpoint.close(0u32.into(), b"stopping"));
    shared.tasks.close();
    shared.tasks.wait().await;
    // The close has to reach the peers: they would wait for their idle timeout otherwise.
    futures::future::join_all(endpoints.iter().map(Endpoint::wait_idle)).await;
}

async fn accept(endpoint: &Endpoint, all: &[Endpoint], shared: &Arc<Shared>) {
    while let Some(Some(incoming)) = shared.stop.run_until_cancelled(endpoint.accept()).await {
        // The bound is for all endpoints together.
        let open = all.iter().map(Endpoint::open_connections).sum();
        admit(open, incoming, shared);
    }
}

/// Admits or refuses a connection before any TLS work is done for it.
fn admit(open: usize, incoming: Incoming, shared: &Arc<Shared>) {
    let most = shared.config.connections.get();
    // A retry makes the client prove its address before this node keeps state: spoofed sources cannot fill
    // the table. It costs a round trip, so it is asked for only under load.
    if open > most / 2 && incoming.may_retry() && !incoming.remote_address_validated() {
        shared.metrics().retried.inc();
        // Fails only when the address is validated already.
        let _ = incoming.retry();
        return;
    }
    let place = shared.handshakes.take(incoming.remote_address().ip());
    // The filter drops the place of a connection that is refused, which gives it back.
    let Some(place) = place.filter(|_| open < most) else {
        shared.metrics().refused.inc();
        return incoming.refuse();
    };
    let task = connection::run(incoming, shared.clone(), place);
    shared.tasks.spawn(task);
}
