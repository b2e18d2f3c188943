//! Honest nodes: a server whose expert does what the query asks for, and clients.

use std::{
    collections::BTreeSet,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use futures::{FutureExt, future::BoxFuture};
use nervure_p2p::{
    Admission,
    query::{
        ClientConfig, InboundQuery, QueryClient, QueryEnd, QueryError, QueryErrorCode, QueryItem, QueryOpen,
        QueryServer, QueryService, QueryStream, Replier, ServerConfig, ServerMetrics,
    },
};
use nervure_primitives::{Amount, MeshId, Netuid, NodeId, NodeKey};
use nervure_protocol::{AskerClass, AskerStanding, FinishReason, Usage};
use tokio::sync::Notify;

/// The mesh of most nodes here.
pub(crate) const MESH: MeshId = MeshId::from_bytes([7; 32]);

/// The pieces of an answer, and its end.
pub(crate) type Answer = (Vec<Bytes>, QueryEnd);

/// The validators; all nodes where no list is given. Others are strangers.
pub(crate) struct Registry(pub(crate) Option<BTreeSet<NodeId>>);

impl Registry {
    /// The node with the key of that number is a validator, and no other.
    pub(crate) fn only(number: u8) -> Self {
        Self(Some(BTreeSet::from([key(number).node_id()])))
    }
}

impl Admission for Registry {
    fn is_registered(&self, node: &NodeId) -> bool {
        self.0.as_ref().is_none_or(|list| list.contains(node))
    }

    fn standing(&self, node: &NodeId) -> AskerStanding {
        AskerStanding::of(match self.is_registered(node) {
            true => AskerClass::Validator,
            false => AskerClass::Stranger,
        })
    }
}

/// What an expert does; the query chooses one.
#[derive(Clone, Debug)]
pub(crate) enum Does {
    /// Sends so many numbered pieces of so many bytes, and an end.
    Stream(u32, u32),
    /// Refuses.
    Refuse,
    /// Sends one piece, then hangs until it is dropped.
    Hang,
    /// Hangs without sending a piece.
    HangSilently,
    /// Sends one piece, and drops the replier without an end.
    DropReplier,
    /// Sends a whole answer, then works until the test releases it.
    WorkAfterTheEnd,
    /// Sends a piece, then waits until its asker is gone.
    WatchTheAsker,
    /// Says so many times, a tenth of a second apart, that it works, and then answers with one piece.
    Work(u32),
    /// Panics.
    Panic,
}

/// An expert that notifies the test when its work is dropped or finished.
#[derive(Default)]
pub(crate) struct Expert {
    pub(crate) dropped: Arc<Notify>,
    pub(crate) finished: Arc<Notify>,
    pub(crate) release: Arc<Notify>,
}

struct OnDrop(Arc<Notify>);

impl Drop for OnDrop {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

impl QueryService for Expert {
    fn serve(&self, query: InboundQuery) -> BoxFuture<'static, ()> {
        let guard = OnDrop(self.dropped.clone());
        let (finished, release) = (self.finished.clone(), self.release.clone());
        let does = Does::from_body(&query.open.body);
        async move {
            let _guard = guard;
            perform(does, query.reply, &release).await;
            finished.notify_one();
        }
        .boxed()
    }
}

async fn perform(does: Does, mut reply: Replier, release: &Notify) {
    match does {
        Does::Stream(count, size) => {
            for number in 0..count {
                if reply.send(piece(number, size)).await.is_err() {
                    return;
                }
            }
            reply.end(END).await;
        }
        Does::Refuse => reply.refuse(QueryErrorCode::BudgetExceeded, "too dear".into(), None).await,
        Does::Hang => {
            let _ = reply.send(piece(0, 10)).await;
            std::future::pending().await
        }
        Does::HangSilently => std::future::pending().await,
        Does::DropReplier => {
            let _ = reply.send(piece(0, 10)).await;
        }
        Does::WorkAfterTheEnd => {
            reply.end(END).await;
            release.notified().await;
        }
        Does::WatchTheAsker => {
            let _ = reply.send(piece(0, 10)).await;
            reply.cancelled().await;
        }
        Does::Work(times) => {
            for _ in 0..times {
                tokio::time::sleep(Duration::from_millis(100)).await;
                if reply.alive().await.is_err() {
                    return;
                }
            }
            let _ = reply.send(piece(0, 10)).await;
            reply.end(END).await;
        }
        Does::Panic => panic!("as asked"),
    }
}

const END: QueryEnd = QueryEnd::new(Usage { prompt_tokens: 1, completion_tokens: 2 }, FinishReason::Stop);

/// The piece of that number; all pieces differ.
pub(crate) fn piece(number: u32, size: u32) -> Bytes {
    number.to_be_bytes().into_iter().chain((4..size).map(|at| (at % 251) as u8)).collect()
}

impl Does {
    fn to_body(&self) -> Vec<u8> {
        let (kind, a, b) = match *self {
            Self::Stream(count, size) => (0u8, count, size),
            Self::Hang => (1, 0, 0),
            Self::HangSilently => (2, 0, 0),
            Self::DropReplier => (3, 0, 0),
            Self::WorkAfterTheEnd => (4, 0, 0),
            Self::WatchTheAsker => (5, 0, 0),
            Self::Panic => (6, 0, 0),
            Self::Refuse => (7, 0, 0),
            Self::Work(times) => (8, times, 0),
        };
        [&[kind][..], &a.to_be_bytes(), &b.to_be_bytes()].concat()
    }

    fn from_body(body: &[u8]) -> Self {
        let number = |at: usize| u32::from_be_bytes(body[at..at + 4].try_into().unwrap());
        match body[0] {
            0 => Self::Stream(number(1), number(5)),
            1 => Self::Hang,
            2 => Self::HangSilently,
            3 => Self::DropReplier,
            4 => Self::WorkAfterTheEnd,
            5 => Self::WatchTheAsker,
            7 => Self::Refuse,
            8 => Self::Work(number(1)),
            _ => Self::Panic,
        }
    }
}

/// A query that makes the expert do `does`.
pub(crate) fn question(does: Does) -> QueryOpen {
    QueryOpen {
        netuid: Netuid(1),
        capability: "text.generate".parse().unwrap(),
        expert: None,
        body: does.to_body(),
        deadline_ms: 60_000,
        budget: Amount::ZERO,
        name: None,
        hops: 0,
    }
}

pub(crate) fn key(number: u8) -> NodeKey {
    NodeKey::from_seed(&[number; 32])
}

pub(crate) fn loopback(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

/// A server's settings, with a key of its own.
pub(crate) fn server_config() -> ServerConfig {
    ServerConfig::new(key(1), MESH, [loopback(0)])
}

/// A server, its expert, and how to reach it.
pub(crate) struct Node {
    pub(crate) server: QueryServer,
    pub(crate) expert: Arc<Expert>,
    pub(crate) id: NodeId,
    pub(crate) at: SocketAddr,
}

impl Node {
    /// Starts a server for which all nodes are registered.
    pub(crate) fn start(config: ServerConfig) -> Self {
        Self::admitting(config, Registry(None))
    }

    pub(crate) fn admitting(config: ServerConfig, registry: Registry) -> Self {
        let (id, expert) = (config.key.node_id(), Arc::<Expert>::default());
        let server = QueryServer::start(config, Arc::new(registry), expert.clone()).unwrap();
        let at = server.local_addr();
        Self { server, expert, id, at }
    }

    /// The count that `which` chooses.
    pub(crate) fn count(&self, which: fn(&ServerMetrics) -> u64) -> u64 {
        which(self.server.metrics())
    }

    /// The queries in progress.
    pub(crate) fn in_progress(&self) -> i64 {
        self.server.metrics().in_progress.get()
    }

    /// Asserts that the server answers an honest asker.
    pub(crate) async fn serves(&self) {
        let answer = ask(&client(200), self.id, self.at, Does::Stream(3, 100)).await.unwrap();
        assert_eq!(answer.0.len(), 3);
    }
}

/// A client with the key of that number.
pub(crate) fn client(number: u8) -> QueryClient {
    QueryClient::start(ClientConfig::new(key(number), MESH)).unwrap()
}

/// Sends a query and reads the whole answer.
pub(crate) async fn ask(
    client: &QueryClient,
    node: NodeId,
    at: SocketAddr,
    does: Does,
) -> Result<Answer, QueryError> {
    read(client.open(node, &[at], question(does)).await?).await
}

/// Reads an answer to its end.
pub(crate) async fn read(mut stream: QueryStream) -> Result<Answer, QueryError> {
    let mut pieces = Vec::new();
    loop {
        match stream.next().await? {
            QueryItem::Chunk(chunk) => pieces.push(chunk),
            QueryItem::End(end) => return Ok((pieces, end)),
        }
    }
}

/// Waits for `condition`, for at most half a minute.
pub(crate) async fn eventually(what: &str, condition: impl Fn() -> bool) {
    for _ in 0..3000 {
        if condition() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("never happened: {what}");
}
