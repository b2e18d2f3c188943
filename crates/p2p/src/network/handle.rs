//! The handle by which the rest of the node reaches the network's task.

use std::{collections::BTreeSet, sync::Arc};

use libp2p::Multiaddr;
use nervure_primitives::{Hash, NodeId};
use nervure_protocol::{bounds::MAX_RELAYS, names::AgentName, query::ErrorText};
use serde::Serialize;
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, timeout},
};

use super::command::{Command, Destination, FollowError, OutboundRequest, PublishError, Stopped, Way};
use super::streams::{OPEN_TIMEOUT, QueryStreams, StreamError, Streams};
use super::task::PortMapping;
use crate::{NetworkConfig, NetworkMetrics, ProtocolSpec, RequestError, StreamNeeds, roads::Road};

/// A node that this one is connected to.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PeerInfo {
    /// Its node id.
    pub node: NodeId,
    /// Whether it dialled us.
    pub inbound: bool,
    /// Round trip of the last ping, in milliseconds.
    pub rtt_ms: Option<f64>,
    /// The agent name that it reports; not verified.
    pub agent: AgentName,
    /// The address that the connection uses; a direct one, if there is any.
    pub address: Multiaddr,
    /// Whether it is registered in the mesh.
    pub registered: bool,
    /// Its gossip score; below zero for faults, and for a stranger.
    pub score: f64,
    /// Whether it is in the gossip mesh of a topic.
    pub grafted: bool,
    /// Whether it dialled us and names no address at which others reach it, as a sealed node does. Its address is for this
    /// node alone then.
    pub hides_address: bool,
}

/// The state of the network layer.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct NetworkStatus {
    /// Nodes connected.
    pub connected: u32,
    /// Addresses that the node listens on, each with `/p2p/ID`.
    pub listening: Vec<Multiaddr>,
    /// Nodes in the DHT's routing table.
    pub routing_table: u32,
    /// Gossip topics that this node follows.
    pub topics: u32,
    /// Gossip messages received and handed in for a verdict.
    pub gossip_received: u64,
    /// Gossip messages that were rejected, or refused before any verdict.
    pub gossip_rejected: u64,
    /// Gossip messages dropped because too many waited.
    pub gossip_dropped: u64,
    /// Gossip messages ignored because their peer sent too many.
    pub gossip_rate_limited: u64,
    /// Requests of other nodes that were handed in.
    pub requests_received: u64,
    /// Requests of other nodes that were refused: too many, or not served here.
    pub requests_refused: u64,
    /// Requests of other nodes that broke off: malformed, too long, too slow, or dropped without a
    /// response.
    pub requests_failed: u64,
    /// Peers disconnected because they are of another mesh.
    pub wrong_mesh: u64,
    /// Strangers disconnected because too many were connected.
    pub strangers_refused: u64,
    /// Inbound connections refused by the limits on their number or on memory.
    pub connections_refused: u64,
    /// Dials that were refused because of where they led (public mesh only).
    pub dials_refused: u64,
    /// Addresses kept out of the routing table because their network has enough of it.
    pub routes_refused: u64,
    /// Reservations and circuits that this node refused to relay.
    pub circuits_refused: u64,
    /// Relayed connections that a direct one has replaced.
    pub holes_punched: u64,
    /// Whether other nodes can dial this one, as AutoNAT last found; none where AutoNAT is off or has no result yet.
    pub reachable: Option<bool>,
    /// Addresses at which others reach this node, as far as it knows.
    pub external: Vec<Multiaddr>,
    /// The address of this node as each of up to 16 peers sees it.
    pub observed: Vec<Multiaddr>,
    /// What the local router says about opening a port.
    pub mapping: PortMapping,
    /// Connections of this node that the other side closed before it was identified: it may have no room.
    pub turned_away: u64,
    /// Nodes in the peer store.
    pub known: u32,
    /// Whether this node is sealed.
    pub sealed: bool,
}

/// Reaches the network's task. Cheap to clone.
#[derive(Clone, Debug)]
pub struct NetworkHandle {
    node: NodeId,
    commands: mpsc::Sender<Command>,
    protocols: Arc<[ProtocolSpec]>,
    streams: Streams,
    metrics: NetworkMetrics,
}

impl NetworkHandle {
    pub(super) fn new(config: &NetworkConfig, commands: mpsc::Sender<Command>, streams: Streams) -> Self {
        Self {
            node: config.key.node_id(),
            commands,
            protocols: Arc::from(config.protocols.as_slice()),
            streams,
            metrics: config.metrics.clone(),
        }
    }

    /// What the network counts.
    pub fn metrics(&self) -> &NetworkMetrics {
        &self.metrics
    }

    /// This node's id.
    pub fn node(&self) -> NodeId {
        self.node
    }

    /// Publishes a message to the peers that follow `topic`.
    ///
    /// # Errors
    /// When no connected peer follows it, or the message does not fit the topic.
    pub async fn publish(&self, topic: &str, data: Vec<u8>) -> Result<(), PublishError> {
        self.ask(|reply| Command::Publish { topic: topic.into(), data, reply }).await?
    }

    /// Follows these members of a [`TopicFamily`](crate::TopicFamily), named by its prefix, and no others of it.
    ///
    /// # Errors
    /// When the family is not configured, or the topics are more than its limit; then nothing changes.
    pub async fn follow(&self, family: &str, numbers: BTreeSet<u16>) -> Result<(), FollowError> {
        self.ask(|reply| Command::Follow { family: family.into(), numbers, reply }).await?
    }

    /// The nodes closest to `key` that the DHT finds, closest first.
    ///
    /// # Errors
    /// When the network has stopped.
    pub async fn closest(&self, key: Hash) -> Result<Vec<NodeId>, Stopped> {
        self.ask(|reply| Command::Closest { key, reply }).await
    }

    /// Sends a request to one node. A node that is not connected is dialled, at its known addresses or those that the
    /// DHT finds.
    ///
    /// # Errors
    /// When there is no response within the protocol's timeout, or it is a refusal.
    pub async fn request(
        &self,
        node: NodeId,
        protocol: &'static str,
        data: Vec<u8>,
    ) -> Result<Vec<u8>, RequestError> {
        let index = self.protocols.iter().position(|spec| spec.name == protocol);
        let index = index.ok_or(RequestError::UnknownProtocol(protocol))?;
        let spec = &self.protocols[index];
        if data.len() > spec.max_request {
            return Err(RequestError::TooLong { limit: spec.max_request, actual: data.len() });
        }
        let ask =
            |reply| Command::Request(OutboundRequest { peer: node.peer_id(), protocol: index, data, reply });
        let started = Instant::now();
        let answer = timeout(spec.timeout, self.ask(ask)).await.map_err(|_| RequestError::TimedOut)??;
        if answer.is_ok() {
            self.metrics.answered(spec.name, started.elapsed());
        }
        answer
    }

    /// Opens a stream to `node` for one query, over an existing or a new connection of the swarm. It reaches nodes
    /// whose query endpoint cannot be reached, such as one behind a NAT: directly where a hole can be punched within two
    /// seconds, else through a relay whose limits are enough for `needs`. `relays` are those that the node names; without them,
    /// those at hand are tried.
    ///
    /// # Errors
    /// When the node cannot be reached, does not serve queries, or is reached only through a relay that does not carry so much.
    pub async fn query_stream(
        &self,
        node: NodeId,
        relays: &[NodeId],
        needs: StreamNeeds,
    ) -> Result<libp2p::Stream, StreamError> {
        let opening = async {
            let road = self.road_to(node, relays, needs).await?;
            let opened = match self.streams.open(node, road).await {
                // Of two connections that are established at once, one is closed: nothing was sent on it yet.
                Err(StreamError::Unreachable(_)) => {
                    let road = self.road_to(node, relays, needs).await?;
                    self.streams.open(node, road).await.map(|stream| (stream, road))
                }
                opened => opened.map(|stream| (stream, road)),
            };
            opened.inspect(|(_, road)| self.metrics.query_stream(*road)).map(|(stream, _)| stream)
        };
        timeout(OPEN_TIMEOUT, opening).await.unwrap_or(Err(StreamError::TimedOut))
    }

    /// How this node is connected to `node`, which is dialled where it is not: at `addresses`, at those that are known or that
    /// the DHT finds, and through relays.
    ///
    /// # Errors
    /// When there is no connection within ten seconds.
    pub async fn reach(&self, node: NodeId, addresses: Vec<Multiaddr>) -> Result<Road, StreamError> {
        let to = Destination { peer: node.peer_id(), relays: Vec::new(), addresses };
        let way = timeout(OPEN_TIMEOUT, self.way(to)).await.unwrap_or(Err(StreamError::TimedOut))?;
        Ok(way.road)
    }

    /// The road to `node` for a question, once there is a connection.
    async fn road_to(
        &self,
        node: NodeId,
        relays: &[NodeId],
        needs: StreamNeeds,
    ) -> Result<Road, StreamError> {
        let relays = relays.iter().take(MAX_RELAYS).map(NodeId::peer_id).collect();
        let to = Destination { peer: node.peer_id(), relays, addresses: Vec::new() };
        let Way { road, limits } = self.way(to).await?;
        match limits.refusal(needs) {
            Some(why) => Err(StreamError::BeyondRelay(ErrorText::new(why))),
            None => Ok(road),
        }
    }

    async fn way(&self, to: Destination) -> Result<Way, StreamError> {
        let reached = self.ask(|reply| Command::Reach { to, reply }).await;
        reached.map_err(|stopped| StreamError::Unreachable(ErrorText::new(stopped)))?
    }

    /// The query streams that other nodes open. Only the first call returns them.
    pub fn query_streams(&self) -> Option<QueryStreams> {
        self.streams.accept()
    }

    /// The nodes connected now.
    ///
    /// # Errors
    /// When the network has stopped.
    pub async fn peers(&self) -> Result<Vec<PeerInfo>, Stopped> {
        self.ask(|reply| Command::Peers { reply }).await
    }

    /// The state of the network layer.
    ///
    /// # Errors
    /// When the network has stopped.
    pub async fn status(&self) -> Result<NetworkStatus, Stopped> {
        self.ask(|reply| Command::Status { reply }).await
    }

    /// Waits until the network has stopped and the peer store is written. QUIC's port is released shortly after, when
    /// the connections are drained.
    pub async fn stopped(&self) {
        self.commands.closed().await;
    }

    async fn ask<T>(&self, command: impl FnOnce(oneshot::Sender<T>) -> Command) -> Result<T, Stopped> {
        let (reply, answer) = oneshot::channel();
        self.commands.send(command(reply)).await.map_err(|_| Stopped)?;
        answer.await.map_err(|_| Stopped)
    }
}
