//! The client: a thread with an endpoint, one connection per node, one stream per query.

mod answer_stream;

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
    sync::Arc,
    thread::JoinHandle,
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use futures::{StreamExt, stream::FuturesUnordered};
use lru::LruCache;
use nervure_primitives::NodeId;
use nervure_protocol::{
    AnswerBounds, AnswerMeter,
    query::{ErrorText, Frame},
};
use parking_lot::Mutex;
use quinn::{Connection, Endpoint, EndpointConfig, RecvStream, TokioRuntime};
use tokio::time::timeout;

use super::{
    ClientConfig, QueryError, QueryOpen, StartError,
    clock::{now, sleep_until},
    stream::{self, ReceiveHalf},
    tls,
};

pub use answer_stream::{QueryItem, QueryStream};

/// Timeout for telling the nodes that the endpoint closes.
const CLOSE_TIMEOUT: Duration = Duration::from_millis(300);

/// How long an address is dialled before the next one is dialled beside it. Source: RFC 8305, section 5.
const NEXT_ADDRESS_DELAY: Duration = Duration::from_millis(250);

/// The server name that TLS requires. It is not checked: the certificate's PeerId identifies the node.
const SERVER_NAME: &str = "nervure";

/// Asks experts. Cheap to clone; works from any tokio runtime.
#[derive(Clone)]
pub struct QueryClient(Arc<Inner>);

struct Inner {
    config: ClientConfig,
    tls: quinn::ClientConfig,
    v4: Endpoint,
    v6: Option<Endpoint>,
    connections: Mutex<LruCache<NodeId, Connection>>,
    dialling: Mutex<HashMap<NodeId, Arc<tokio::sync::Mutex<()>>>>,
    _thread: StopOnDrop,
}

impl Drop for Inner {
    fn drop(&mut self) {
        for endpoint in std::iter::once(&self.v4).chain(&self.v6) {
            endpoint.close(0u32.into(), b"");
        }
    }
}

/// Ends the endpoint's thread.
struct StopOnDrop(tokio_util::sync::CancellationToken);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

/// Runs `task` on a thread of its own with a single-threaded runtime.
pub(super) fn on_own_thread<F, T>(name: &str, task: F) -> Result<JoinHandle<()>, StartError>
where
    F: FnOnce() -> T + Send + 'static,
    T: Future<Output = ()>,
{
    let setup = |error: std::io::Error| StartError::Setup(error.to_string());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(setup)?;
    std::thread::Builder::new().name(name.into()).spawn(move || runtime.block_on(task())).map_err(setup)
}

impl QueryClient {
    /// Binds sockets and starts the thread.
    ///
    /// # Errors
    /// When no socket can be bound or no certificate made.
    pub fn start(config: ClientConfig) -> Result<Self, StartError> {
        let stop = StopOnDrop(tokio_util::sync::CancellationToken::new());
        let (sender, receiver) = std::sync::mpsc::sync_channel(1);
        let token = stop.0.clone();
        on_own_thread("query-client", move || async move {
            let sockets = endpoints();
            let bound = sockets.as_ref().ok().cloned();
            // `start` waits for this, so the receiver exists.
            let _ = sender.send(sockets);
            if let Some((v4, v6)) = bound {
                token.cancelled().await;
                // Tells the nodes that the connections close. Those that do not answer within the timeout are not
                // waited for.
                let leaving = std::iter::once(&v4).chain(&v6).map(Endpoint::wait_idle);
                let _ = timeout(CLOSE_TIMEOUT, futures::future::join_all(leaving)).await;
            }
        })?;
        let bound = receiver.recv().map_err(|error| StartError::Setup(error.to_string()))?;
        Self::new(config, bound?, stop)
    }

    /// Binds sockets that the current runtime drives. For callers with a single-threaded runtime, where a query costs
    /// least CPU.
    ///
    /// # Errors
    /// When no socket can be bound or no certificate made.
    pub fn here(config: ClientConfig) -> Result<Self, StartError> {
        Self::new(config, endpoints()?, StopOnDrop(tokio_util::sync::CancellationToken::new()))
    }

    fn new(
        config: ClientConfig,
        (v4, v6): (Endpoint, Option<Endpoint>),
        thread: StopOnDrop,
    ) -> Result<Self, StartError> {
        let tls = tls::client(&config.key, &config.mesh)?;
        let connections = Mutex::new(LruCache::new(config.connections));
        let dialling = Mutex::default();
        Ok(Self(Arc::new(Inner { config, tls, v4, v6, connections, dialling, _thread: thread })))
    }

    /// Sends a query to `node`, which listens on one of `addresses`. Returns once the query is sent; the answer comes
    /// through the stream. Dropping the stream cancels the query.
    ///
    /// # Errors
    /// When the node cannot be reached, has another identity, or does not accept the query in time.
    pub async fn open(
        &self,
        node: NodeId,
        addresses: &[SocketAddr],
        open: QueryOpen,
    ) -> Result<QueryStream, QueryError> {
        let bounds = self.bounds(&open);
        let frame = encode(open)?;
        let sent = opening(bounds).wait(self.send(node, addresses, frame), now(), sleep_until).await;
        Ok(QueryStream::new(ReceiveHalf::Quic(sent??), None, bounds))
    }

    /// Sends a query to `node` on a stream of the swarm from [`crate::NetworkHandle::query_stream`], for a node whose
    /// query endpoint cannot be reached.
    ///
    /// # Errors
    /// When the stream ends before the query is sent.
    pub async fn open_on(
        &self,
        node: NodeId,
        stream: libp2p::Stream,
        open: QueryOpen,
    ) -> Result<QueryStream, QueryError> {
        let bounds = self.bounds(&open);
        let frame = encode(open)?;
        let (mut send, receive) = stream::split(stream, tokio_util::sync::CancellationToken::new());
        let sent = opening(bounds).wait(send.write(frame), now(), sleep_until).await?;
        sent.map_err(|error| unreachable(node, &error))?;
        Ok(QueryStream::new(receive, Some(send), bounds))
    }

    /// The bounds of the answer to a query, from its open frame on. A frame bounds its own bytes.
    fn bounds(&self, open: &QueryOpen) -> AnswerBounds {
        AnswerBounds {
            whole: Duration::from_millis(open.deadline_ms.into()),
            first: self.0.config.first_byte,
            between: self.0.config.between,
            ..AnswerBounds::NONE
        }
    }

    /// Sends an open frame on a new stream. Has no timeout of its own: a node that grants no stream, or no window, lets
    /// it wait for ever.
    async fn send(
        &self,
        node: NodeId,
        addresses: &[SocketAddr],
        bytes: Bytes,
    ) -> Result<RecvStream, QueryError> {
        let connection = self.connection(node, addresses).await?;
        let (mut send, receive) = match connection.open_bi().await {
            Ok(streams) => streams,
            // The kept connection was dead. Nothing was sent yet, so it is safe to try again on a new one.
            Err(_) => {
                self.forget(&node, &connection);
                let connection = self.connection(node, addresses).await?;
                connection.open_bi().await.map_err(|error| unreachable(node, &error))?
            }
        };
        send.write_chunk(bytes).await.map_err(|error| unreachable(node, &error))?;
        // Fails only when the node has stopped reading; reading the answer then fails too.
        let _ = send.finish();
        Ok(receive)
    }

    /// The connection to `node`: the kept one, or a new one. Concurrent callers share a dial.
    async fn connection(&self, node: NodeId, addresses: &[SocketAddr]) -> Result<Connection, QueryError> {
        if let Some(kept) = self.kept(&node, addresses) {
            return Ok(kept);
        }
        // A lock per node: a thousand queries to one node make one handshake, and a slow node delays no
        // other.
        let turn = self.0.dialling.lock().entry(node).or_default().clone();
        let held = turn.lock().await;
        // Again under the lock: the caller that was first may have dialled meanwhile.
        let result = match self.kept(&node, addresses) {
            Some(kept) => Ok(kept),
            None => self.dial(node, addresses).await,
        };
        if let Ok(connection) = &result {
            self.0.connections.lock().put(node, connection.clone());
        }
        drop(held);
        // Removes the locks that are not in use. An unused lock has one reference, in the map; ours has one more, in
        // `turn`.
        self.0
            .dialling
            .lock()
            .retain(|other, turn| Arc::strong_count(turn) > 1 + usize::from(*other == node));
        result
    }

    async fn dial(&self, node: NodeId, addresses: &[SocketAddr]) -> Result<Connection, QueryError> {
        let mut last = QueryError::Unreachable { node, reason: "no address".into() };
        // In the order of the record, and the next one when the one before has failed or is slow, as RFC 8305 does: an
        // address of a family that does not get through costs a quarter of a second. The caller bounds the time for all.
        let (mut rest, mut dialling) = (addresses.iter(), FuturesUnordered::new());
        loop {
            if let Some(address) = rest.next() {
                dialling.push(self.dial_one(node, *address));
            }
            let ended = match rest.len() {
                0 => dialling.next().await,
                // The next address has its turn.
                _ => match timeout(NEXT_ADDRESS_DELAY, dialling.next()).await {
                    Ok(ended) => ended,
                    Err(_) => continue,
                },
            };
            match ended {
                Some(Ok(connection)) => return Ok(connection),
                Some(Err(error)) => last = error,
                None => return Err(last),
            }
        }
    }

    async fn dial_one(&self, node: NodeId, address: SocketAddr) -> Result<Connection, QueryError> {
        let config = &self.0.config;
        let endpoint = match (address, &self.0.v6) {
            (SocketAddr::V4(_), _) => &self.0.v4,
            (SocketAddr::V6(_), Some(v6)) => v6,
            (SocketAddr::V6(_), None) => return Err(unreachable(node, &"no IPv6 on this machine")),
        };
        // QUIC would send until the timeout: it takes an unreachable network for a loss.
        if let Err(error) = route_to(address) {
            return Err(unreachable(node, &format_args!("no way to {}: {error}", address.ip())));
        }
        let connecting = endpoint
            .connect_with(self.0.tls.clone(), address, SERVER_NAME)
            .map_err(|error| unreachable(node, &error))?;
        let connection = match timeout(config.connect, connecting).await {
            Ok(connected) => connected.map_err(|error| unreachable(node, &error))?,
            Err(_) => return Err(unreachable(node, &"no answer in time")),
        };
        match tls::peer(&connection) {
            // The certificate decides, not the address: records may name an address that is of another node.
            Some(peer) if peer == node => Ok(connection),
            _ => {
                connection.close(1u32.into(), b"unexpected identity");
                Err(QueryError::WrongNode { node })
            }
        }
    }

    /// Connects to the query endpoint of `node` at one of `addresses`, where there is no connection yet, and asks nothing.
    ///
    /// # Errors
    /// When none of them answers, or another node does.
    pub async fn reach(&self, node: NodeId, addresses: &[SocketAddr]) -> Result<SocketAddr, QueryError> {
        Ok(self.connection(node, addresses).await?.remote_address())
    }

    /// Closes the connection to `node`, if there is one; the next query makes a new one.
    pub fn disconnect(&self, node: &NodeId) {
        if let Some(connection) = self.0.connections.lock().pop(node) {
            connection.close(0u32.into(), b"");
        }
    }

    /// The kept connection, if it is open and leads to one of the node's current `addresses`: a node that restarted
    /// elsewhere no longer answers at its old address.
    fn kept(&self, node: &NodeId, addresses: &[SocketAddr]) -> Option<Connection> {
        let mut connections = self.0.connections.lock();
        let kept = connections.get(node)?;
        if kept.close_reason().is_none() && addresses.contains(&kept.remote_address()) {
            return Some(kept.clone());
        }
        connections.pop(node);
        None
    }

    fn forget(&self, node: &NodeId, connection: &Connection) {
        let mut connections = self.0.connections.lock();
        // Only the connection that failed: another caller may have replaced it with a good one.
        if connections.peek(node).is_some_and(|kept| kept.stable_id() == connection.stable_id()) {
            connections.pop(node);
        }
    }
}

/// Bounds the sending of an open frame: as long as the first frame of the answer may take. The time for the answer begins
/// after it.
fn opening(bounds: AnswerBounds) -> AnswerMeter {
    AnswerMeter::new(AnswerBounds { first: bounds.first, ..AnswerBounds::NONE }, now())
}

fn encode(open: QueryOpen) -> Result<Bytes, QueryError> {
    let mut bytes = BytesMut::new();
    Frame::Open(open).encode(&mut bytes).map_err(QueryError::Protocol)?;
    Ok(bytes.freeze())
}

/// A socket for IPv4, and one for IPv6 where the machine has it. Must run inside the runtime that drives them.
fn endpoints() -> Result<(Endpoint, Option<Endpoint>), StartError> {
    let any = (Ipv4Addr::UNSPECIFIED, 0).into();
    let v4 = endpoint(any).map_err(|source| StartError::Bind { address: any, source })?;
    Ok((v4, endpoint((Ipv6Addr::UNSPECIFIED, 0).into()).ok()))
}

fn endpoint(bind: SocketAddr) -> std::io::Result<Endpoint> {
    Endpoint::new(EndpointConfig::default(), None, tls::socket(bind)?, Arc::new(TokioRuntime))
}

/// Whether this machine has a route to `address`, as its routing table says. Nothing is sent.
fn route_to(address: SocketAddr) -> std::io::Result<()> {
    let any: IpAddr = match address {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    UdpSocket::bind((any, 0))?.connect(address)
}

fn unreachable(node: NodeId, reason: &dyn std::fmt::Display) -> QueryError {
    QueryError::Unreachable { node, reason: ErrorText::new(reason) }
}
