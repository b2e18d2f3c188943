//! Settings of the control plane.

use libp2p::Multiaddr;
use nervure_primitives::{MeshId, NodeKey};

/// Where the nodes of the mesh may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// One machine or network: every address is dialled.
    Local,
    /// The internet: addresses that others name are dialled only where [`crate::is_global`] says so.
    Public,
}

/// What a node does for the DHT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DhtMode {
    /// Answers others' lookups.
    Server,
    /// Only asks.
    Client,
}

/// A gossip topic. No other is subscribed to, so none other is received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicSpec {
    /// Its name within the mesh.
    pub name: String,
    /// Longest message, in bytes.
    pub max_len: usize,
}

/// Settings of the control plane. Begin with [`NetworkConfig::new`].
#[derive(Clone, Debug)]
pub struct NetworkConfig {
    /// The node's key.
    pub key: NodeKey,
    /// The mesh; part of every protocol name.
    pub mesh: MeshId,
    /// Where its nodes may be.
    pub scope: Scope,
    /// Addresses to listen on.
    pub listen: Vec<Multiaddr>,
    /// Nodes to begin with, each ending in `/p2p/ID`. Kept connected, with backoff.
    pub bootstrap: Vec<Multiaddr>,
    /// Addresses at which others reach this node, where the bound ones are not those.
    pub external: Vec<Multiaddr>,
    /// Gossip topics.
    pub topics: Vec<TopicSpec>,
    /// What the node does for the DHT.
    pub mode: DhtMode,
    /// Connections in all; 256 by default. An established one costs 60 to 90 KiB.
    pub connections: u32,
    /// Connections from nodes that are not registered; a quarter of all by default.
    pub strangers: u32,
}

impl NetworkConfig {
    /// A server of the DHT that listens nowhere and knows nobody yet.
    pub fn new(key: NodeKey, mesh: MeshId, scope: Scope) -> Self {
        Self {
            key,
            mesh,
            scope,
            listen: Vec::new(),
            bootstrap: Vec::new(),
            external: Vec::new(),
            topics: Vec::new(),
            mode: DhtMode::Server,
            connections: 256,
            strangers: 64,
        }
    }
}
