//! Test nodes: each with its own network task, all in one process.

use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant},
};

use nervure_p2p::{
    AddressScope, Admission, GossipMessage, Multiaddr, Network, NetworkConfig, NetworkHandle, NetworkStatus,
    TopicSpec,
};
use nervure_primitives::{MeshId, NodeId, NodeKey};
use parking_lot::Mutex;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Longest wait for a state. Far longer than any test needs, so that it passes only when the state never comes.
const STATE_TIMEOUT: Duration = Duration::from_secs(40);

/// Interval between two checks of a state.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// The topic of the tests, and its longest message in bytes.
pub(crate) const TOPIC: &str = "test";
pub(crate) const TOPIC_MAX: usize = 1024;

/// Waits until `condition` holds.
pub(crate) async fn eventually(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let start = Instant::now();
    while !condition().await {
        assert!(start.elapsed() < STATE_TIMEOUT, "never: {what}");
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

/// The registry of the tests: the nodes that were added are registered, and no others.
#[derive(Default)]
pub(crate) struct Registered(Mutex<BTreeSet<NodeId>>);

impl Registered {
    pub(crate) fn add(&self, node: NodeId) {
        self.0.lock().insert(node);
    }
}

impl Admission for Registered {
    fn is_registered(&self, node: &NodeId) -> bool {
        self.0.lock().contains(node)
    }
}

/// A mesh, its registry, and keys for its nodes.
#[derive(Clone)]
pub(crate) struct Mesh {
    pub(crate) id: MeshId,
    pub(crate) registered: Arc<Registered>,
}

impl Mesh {
    pub(crate) fn new(id: u8) -> Self {
        Self { id: MeshId::from_bytes([id; 32]), registered: Arc::default() }
    }

    /// Settings of node number `seed`, which is registered and listens on a free QUIC port.
    pub(crate) fn config(&self, seed: u8) -> NetworkConfig {
        let config = self.stranger(seed);
        self.registered.add(config.key.node_id());
        config
    }

    /// The same, but not registered.
    pub(crate) fn stranger(&self, seed: u8) -> NetworkConfig {
        let key = NodeKey::from_seed(&[seed; 32]);
        let mut config = NetworkConfig::new(key, self.id, AddressScope::Local);
        config.listen = vec!["/ip4/127.0.0.1/udp/0/quic-v1".parse().unwrap()];
        config.topics = vec![TopicSpec::new(TOPIC, TOPIC_MAX)];
        config
    }

    /// Starts a node.
    pub(crate) fn start(&self, config: NetworkConfig) -> Node {
        let stop = CancellationToken::new();
        let (handle, gossip) = Network::start(config, self.registered.clone(), stop.clone()).unwrap();
        Node { handle, gossip, stop }
    }

    /// Stops `node`, and starts one with these settings where it listened, as soon as its connections are drained.
    pub(crate) async fn restart(&self, node: Node, mut config: NetworkConfig) -> Node {
        config.listen = vec![node.address().await.iter().take(3).collect()];
        node.stop.cancel();
        node.handle.stopped().await;
        drop(node);
        let mut again = None;
        eventually("the port is free", async || {
            let stop = CancellationToken::new();
            let started = Network::start(config.clone(), self.registered.clone(), stop.clone()).ok();
            again = started.map(|(handle, gossip)| Node { handle, gossip, stop });
            again.is_some()
        })
        .await;
        again.unwrap()
    }

    /// Starts nodes `0..count`, which all bootstrap from the first, and waits until the first is connected to all.
    pub(crate) async fn star(&self, count: u8) -> Vec<Node> {
        let mut nodes = vec![self.start(self.config(0))];
        let first = nodes[0].address().await;
        for seed in 1..count {
            let mut config = self.config(seed);
            config.bootstrap = vec![first.clone()];
            nodes.push(self.start(config));
        }
        eventually("all are connected to the first", async || {
            nodes[0].status().await.connected + 1 >= u32::from(count)
        })
        .await;
        nodes
    }
}

/// A running node. Dropping it stops it.
pub(crate) struct Node {
    pub(crate) handle: NetworkHandle,
    pub(crate) gossip: mpsc::Receiver<GossipMessage>,
    pub(crate) stop: CancellationToken,
}

impl Node {
    pub(crate) fn id(&self) -> NodeId {
        self.handle.node()
    }

    pub(crate) async fn status(&self) -> NetworkStatus {
        self.handle.status().await.unwrap()
    }

    /// Waits until it listens, and returns its address.
    pub(crate) async fn address(&self) -> Multiaddr {
        let mut found = None;
        eventually("the node listens", async || {
            found = self.status().await.listening.first().cloned();
            found.is_some()
        })
        .await;
        found.unwrap()
    }

    pub(crate) async fn is_connected_to(&self, other: NodeId) -> bool {
        self.handle.peers().await.unwrap().iter().any(|peer| peer.node == other)
    }

    /// Publishes as soon as a connected peer follows the topic.
    pub(crate) async fn publish(&self, data: &[u8]) {
        eventually("a peer follows the topic", async || {
            self.handle.publish(TOPIC, data.to_vec()).await.is_ok()
        })
        .await;
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}
