//! What the rest of the node holds of the network.

use libp2p::Multiaddr;
use nervure_primitives::{Hash, NodeId};
use serde::Serialize;
use tokio::sync::{mpsc, oneshot};

use super::command::{Command, PublishError, Stopped};

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
    /// The address that the connection uses.
    pub address: Multiaddr,
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
    /// Gossip messages received and handed in for a verdict.
    pub gossip_received: u64,
    /// Gossip messages that were rejected, or refused before any verdict.
    pub gossip_rejected: u64,
    /// Gossip messages dropped because too many waited.
    pub gossip_dropped: u64,
    /// Peers disconnected because they are of another mesh.
    pub wrong_mesh: u64,
    /// Strangers disconnected because too many were connected.
    pub strangers_refused: u64,
}

/// Reaches the network's task. Cheap to clone.
#[derive(Clone, Debug)]
pub struct NetworkHandle {
    node: NodeId,
    commands: mpsc::Sender<Command>,
}

impl NetworkHandle {
    pub(super) fn new(node: NodeId, commands: mpsc::Sender<Command>) -> Self {
        Self { node, commands }
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

    /// The nodes closest to `key` that the DHT finds, closest first.
    ///
    /// # Errors
    /// When the network has stopped.
    pub async fn closest(&self, key: Hash) -> Result<Vec<NodeId>, Stopped> {
        self.ask(|reply| Command::Closest { key, reply }).await
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

    async fn ask<T>(&self, command: impl FnOnce(oneshot::Sender<T>) -> Command) -> Result<T, Stopped> {
        let (reply, answer) = oneshot::channel();
        self.commands.send(command(reply)).await.map_err(|_| Stopped)?;
        answer.await.map_err(|_| Stopped)
    }
}
