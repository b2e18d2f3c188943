//! Queries over streams of the swarm, to a node whose query endpoint cannot be reached.

use std::{sync::Arc, time::Duration};

use nervure_p2p::{
    AddressScope, Network, NetworkConfig, NetworkHandle, StreamError, StreamNeeds, query::QueryItem,
};
use nervure_primitives::NodeId;
use tokio_util::sync::CancellationToken;

use crate::mesh::{
    Does, MESH, Node, Registry, client, eventually, key, piece, question, read, server_config,
};

/// Two nodes that are connected through their swarms; the first answers queries.
struct Pair {
    node: Arc<Node>,
    asker: NetworkHandle,
    id: NodeId,
    /// Held because the network stops with its last handle.
    _answering: NetworkHandle,
    _stop: tokio_util::sync::DropGuard,
}

async fn swarm(
    number: u8,
    bootstrap: Vec<nervure_p2p::Multiaddr>,
    stop: &CancellationToken,
) -> NetworkHandle {
    let mut config = NetworkConfig::new(key(number), MESH, AddressScope::Local);
    config.listen = vec!["/ip4/127.0.0.1/tcp/0".parse().unwrap()];
    config.bootstrap = bootstrap;
    Network::start(config, Arc::new(Registry(None)), stop.clone()).unwrap().0
}

async fn until(what: &str, mut done: impl AsyncFnMut() -> bool) {
    for _ in 0..3000 {
        if done().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("never happened: {what}");
}

impl Pair {
    async fn new() -> Self {
        let stop = CancellationToken::new();
        let answering = swarm(1, Vec::new(), &stop).await;
        until("it listens", async || !answering.status().await.unwrap().listening.is_empty()).await;
        let at = answering.status().await.unwrap().listening;
        let node = Arc::new(Node::start(server_config()));
        let (mut streams, serving) = (answering.query_streams().unwrap(), node.clone());
        tokio::spawn(async move {
            while let Some((from, stream)) = streams.next().await {
                serving.server.answer_on(from, stream);
            }
        });
        let asker = swarm(2, at, &stop).await;
        until("they are connected", async || asker.status().await.unwrap().connected == 1).await;
        Self { id: answering.node(), node, asker, _answering: answering, _stop: stop.drop_guard() }
    }

    async fn ask(&self, does: Does) -> nervure_p2p::query::QueryStream {
        let stream = self.asker.query_stream(self.id, &[], StreamNeeds::NONE).await.unwrap();
        client(2).open_on(self.id, stream, question(does)).await.unwrap()
    }
}

#[tokio::test]
async fn answers_come_whole_over_the_swarm_as_well() {
    let pair = Pair::new().await;
    for (count, size) in [(1, 11), (300, 1000), (3, 200 * 1024), (0, 0)] {
        let (pieces, end) = read(pair.ask(Does::Stream(count, size)).await).await.unwrap();
        assert_eq!(pieces, (0..count).map(|number| piece(number, size)).collect::<Vec<_>>());
        assert_eq!(end.chunks, u64::from(count));
    }
    let broken = read(pair.ask(Does::DropReplier).await).await;
    assert!(broken.is_err(), "{broken:?}");
    assert_eq!(pair.node.count(|counters| counters.connections.get()), 0, "no query used the QUIC endpoint");
}

#[tokio::test]
async fn leaving_frees_the_expert_over_the_swarm_as_well() {
    let pair = Pair::new().await;
    for does in [Does::Hang, Does::WatchTheAsker] {
        let mut stream = pair.ask(does).await;
        assert!(matches!(stream.next().await, Ok(QueryItem::Chunk(_))));
        drop(stream);
        pair.node.expert.dropped.notified().await;
        eventually("it is free", || pair.node.in_progress() == 0).await;
    }
    assert_eq!(read(pair.ask(Does::Stream(2, 10)).await).await.unwrap().1.chunks, 2);
}

#[tokio::test]
async fn nodes_without_a_query_service_and_absent_nodes_are_told_apart() {
    let pair = Pair::new().await;
    let stop = CancellationToken::new();
    let at = pair.asker.status().await.unwrap().listening;
    let third = swarm(3, at, &stop).await;
    until("they are connected", async || third.status().await.unwrap().connected >= 1).await;
    let refused = third.query_stream(pair.asker.node(), &[], StreamNeeds::NONE).await.unwrap_err();
    assert_eq!(refused, StreamError::NotServed);
    let absent = third.query_stream(key(99).node_id(), &[], StreamNeeds::NONE).await.unwrap_err();
    assert!(matches!(absent, StreamError::Unreachable(_)), "{absent:?}");
    stop.cancel();
}
