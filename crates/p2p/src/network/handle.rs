//! What the rest of the node holds of the network.

use std::{collections::BTreeSet, sync::Arc};

use libp2p::Multiaddr;
use nervure_primitives::{Hash, NodeId};
use serde::Serialize;
use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};

use super::command::{Ask, Command, FollowError, PublishError, Stopped};
use super::streams::{QueryStreams, StreamError, Streams};
use crate::{ProtocolSpec, RequestError};

/// A node that this one is connected to.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PeerInfo {
    /// Who it is.
    pub node: NodeId,
    /// Whether it dialled us.
    pub inbound: bool,
    /// Round trip of the last ping, in milliseconds.
    pub rtt_ms: Option<f64>,
    /// What it calls itself; not to be trusted.
    pub agent: String,
    /// The address that the connection uses; a direct one, if there is any.
    pub address: Multiaddr,
    /// Whether it is registered in the mesh.
    pub registered: bool,
    /// What gossip holds of it; below zero for faults.
    pub score: f64,
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
    /// Requests of other nodes that broke off: malformed, too long, too slow, or dropped by whoever should have answered.
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
    /// Whether another node has reached this one at an address of its own, as AutoNAT last found; unknown where it is
    /// off or has not asked yet.
    pub reachable: Option<bool>,
    /// Nodes in the peer store.
    pub known: u32,
}

/// Reaches the network's task. Cheap to clone.
#[derive(Clone, Debug)]
pub struct NetworkHandle {
    node: NodeId,
    commands: mpsc::Sender<Command>,
    protocols: Arc<[ProtocolSpec]>,
    streams: Streams,
}

impl NetworkHandle {
    pub(super) fn new(
        node: NodeId,
        commands: mpsc::Sender<Command>,
        protocols: Vec<ProtocolSpec>,
        streams: Streams,
    ) -> Self {
        Self { node, commands, protocols: protocols.into(), streams }
    }

    /// Who this node is.
    pub fn node(&self) -> NodeId {
        self.node
    }

    /// Sends a message to everybody who follows `topic`.
    ///
    /// # Errors
    /// When nobody is connected who does, or the message does not fit the topic.
    pub async fn publish(&self, topic: &str, data: Vec<u8>) -> Result<(), PublishError> {
        self.ask(|reply| Command::Publish { topic: topic.into(), data, reply }).await?
    }

    /// Follows these members of a [`TopicFamily`](crate::TopicFamily), named by its prefix, and no others of it.
    ///
    /// # Errors
    /// When there is no such family, or it may not have as many; then nothing changes.
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

    /// Asks one node. It is dialled when it is not connected, at the addresses that are known of it or that the
    /// DHT finds.
    ///
    /// # Errors
    /// When there is no answer within the protocol's timeout, or another than data.
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
        let ask = |reply| Command::Ask(Ask { peer: node.peer_id(), protocol: index, data, reply });
        timeout(spec.timeout, self.ask(ask)).await.map_err(|_| RequestError::TimedOut)??
    }

    /// A stream to `node` for one question, over whatever connection there is or can be made: the way to a node whose
    /// query endpoint cannot be reached, such as one behind a relay.
    ///
    /// # Errors
    /// When the node cannot be reached, or answers no questions.
    pub async fn query_stream(&self, node: NodeId) -> Result<libp2p::Stream, StreamError> {
        self.streams.open(node).await
    }

    /// The streams on which others ask. Once: later calls give nothing.
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

    /// Waits until the network has stopped and the peer store is written. QUIC's port is free a moment later, when the
    /// connections are drained.
    pub async fn stopped(&self) {
        self.commands.closed().await;
    }

    async fn ask<T>(&self, command: impl FnOnce(oneshot::Sender<T>) -> Command) -> Result<T, Stopped> {
        let (reply, answer) = oneshot::channel();
        self.commands.send(command(reply)).await.map_err(|_| Stopped)?;
        answer.await.map_err(|_| Stopped)
    }
}
