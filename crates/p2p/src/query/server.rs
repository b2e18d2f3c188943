//! The side that answers: a thread with an endpoint, a task for each connection and each query.

mod connection;
mod reply;

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread::JoinHandle,
};

use futures::future::BoxFuture;
use nervure_primitives::NodeId;
use quinn::{Endpoint, Incoming, TokioRuntime};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{QueryOpen, ServerConfig, StartError, stream, tls};
use crate::{Admission, rate::Rates};

pub use reply::{Gone, Replier};

/// Questions in progress on the swarm's streams; more are refused.
const SWARM_QUERIES: usize = 256;

/// A question that passed admission.
pub struct InboundQuery {
    /// Who asks, as its certificate proves.
    pub from: NodeId,
    /// What is asked.
    pub open: QueryOpen,
    /// How to answer.
    pub reply: Replier,
}

/// Whoever answers questions.
pub trait QueryService: Send + Sync + 'static {
    /// Answers one question. Runs on the endpoint's thread: heavy work belongs elsewhere.
    fn serve(&self, query: InboundQuery) -> BoxFuture<'static, ()>;
}

/// What was refused, and what is in progress.
#[derive(Debug, Default)]
pub struct ServerCounters {
    /// Connections accepted.
    pub connections: AtomicU64,
    /// Connections refused: too many in all or from one place; and questions for which there is no room.
    pub refused: AtomicU64,
    /// Addresses that were asked to prove themselves.
    pub retried: AtomicU64,
    /// Queries answered to the end or refused with a word.
    pub queries: AtomicU64,
    /// Queries in progress now.
    pub in_progress: AtomicU64,
    /// Streams without a well-formed open frame in time.
    pub malformed: AtomicU64,
    /// Queries over somebody's rate.
    pub rate_limited: AtomicU64,
}

impl ServerCounters {
    fn count(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

/// What the tasks of an endpoint share.
struct Shared {
    config: ServerConfig,
    admission: Arc<dyn Admission>,
    service: Arc<dyn QueryService>,
    counters: Arc<ServerCounters>,
    rates: Mutex<Rates<NodeId>>,
    places: Mutex<BTreeMap<IpAddr, usize>>,
    stop: CancellationToken,
    tasks: TaskTracker,
    /// Questions on the swarm's streams, which no connection of ours bounds.
    swarm_places: Arc<Semaphore>,
    /// Questions in progress in all.
    places_for_queries: Arc<Semaphore>,
    /// Room for long questions in all, in KiB.
    memory: Arc<Semaphore>,
}

/// A running endpoint. Dropping it stops it.
pub struct QueryServer {
    local: SocketAddr,
    counters: Arc<ServerCounters>,
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
        let (counters, stop) = (Arc::<ServerCounters>::default(), CancellationToken::new());
        let (queries, memory) = (config.queries.get(), config.memory_kib.get());
        let shared = Arc::new(Shared {
            config,
            admission,
            service,
            counters: counters.clone(),
            rates: Mutex::new(Rates::new()),
            places: Mutex::default(),
            stop: stop.clone(),
            tasks: TaskTracker::new(),
            swarm_places: Arc::new(Semaphore::new(SWARM_QUERIES)),
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
        Ok(Self { local, counters, stop, shared, thread: Some(thread) })
    }

    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// Answers the question that `from` asks on a stream of the swarm's. Runs on the current runtime.
    pub fn answer_on(&self, from: NodeId, stream: libp2p::Stream) {
        let Ok(place) = self.shared.swarm_places.clone().try_acquire_owned() else {
            // Dropping the stream tells the asker.
            return ServerCounters::count(&self.shared.counters.refused);
        };
        let left = CancellationToken::new();
        let answer = connection::query(self.shared.clone(), from, stream::split(stream, left.clone()), left);
        self.shared.tasks.spawn(async move {
            answer.await;
            drop(place);
        });
    }

    /// What it counted.
    pub fn counters(&self) -> &Arc<ServerCounters> {
        &self.counters
    }
}

impl Drop for QueryServer {
    fn drop(&mut self) {
        self.stop.cancel();
        if let Some(thread) = self.thread.take() {
            // The thread ends by itself once every task has seen the token; a panic there was printed there.
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
    endpoint.wait_idle().await;
}

/// Decides about a connection before a byte of TLS is computed.
fn admit(endpoint: &Endpoint, incoming: Incoming, shared: &Arc<Shared>) {
    let (open, most) = (endpoint.open_connections(), shared.config.connections.get());
    if open > most / 2 && incoming.may_retry() && !incoming.remote_address_validated() {
        ServerCounters::count(&shared.counters.retried);
        // An error here means that it was validated after all.
        let _ = incoming.retry();
        return;
    }
    let place = Place::take(shared, incoming.remote_address().ip());
    let Some(place) = place.filter(|_| open < most) else {
        ServerCounters::count(&shared.counters.refused);
        return incoming.refuse();
    };
    let task = connection::run(incoming, shared.clone(), place);
    shared.tasks.spawn(task);
}

/// One of the connections that a network may have; given back on drop.
struct Place {
    shared: Arc<Shared>,
    network: IpAddr,
}

impl Place {
    fn take(shared: &Arc<Shared>, address: IpAddr) -> Option<Self> {
        let network = network(address);
        let mut places = shared.places.lock().unwrap_or_else(PoisonError::into_inner);
        let used = places.entry(network).or_default();
        if *used >= shared.config.connections_per_subnet.get() && !address.to_canonical().is_loopback() {
            return None;
        }
        *used += 1;
        Some(Self { shared: shared.clone(), network })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut places = self.shared.places.lock().unwrap_or_else(PoisonError::into_inner);
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
