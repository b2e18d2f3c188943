//! Settings of the control plane.

use std::{path::PathBuf, sync::Arc};

use libp2p::Multiaddr;
use nervure_primitives::{MeshId, NodeKey};
use nervure_protocol::topics::Topic;
use tokio::sync::mpsc;

use crate::{Contacts, InboundRequest, NetworkMetrics, ProtocolSpec};

/// Which addresses this node dials and takes in: those of one network, or of the internet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddressScope {
    /// One machine or network: every address is dialled.
    Local,
    /// The internet: addresses that others name are dialled only where [`crate::is_global`] says so.
    Public,
}

/// A node's part in the DHT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DhtMode {
    /// Answers lookups of other nodes.
    Server,
    /// Only makes lookups.
    Client,
}

/// A gossip topic. Messages of topics that are not configured are not received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicSpec {
    /// Its name within the mesh.
    pub name: String,
    /// Longest message, in bytes.
    pub max_len: usize,
    /// Messages that one peer may hand on per second, with a burst of as many. More are ignored, counted and held
    /// against the peer. A peer forwards the messages of all nodes, so this bounds the whole topic: a number
    /// that is too low loses messages, one that is too high costs work under attack.
    pub per_peer_per_second: u32,
}

impl TopicSpec {
    /// A topic with at most 200 messages a second from one peer.
    pub fn new(name: impl Into<String>, max_len: usize) -> Self {
        Self { name: name.into(), max_len, per_peer_per_second: 200 }
    }

    /// A topic of the protocol, with the same rate.
    pub fn of(topic: Topic) -> Self {
        Self::new(topic.name, topic.max_len)
    }
}

/// Topics that come and go while the node runs: each is a prefix and a whole number, such as `experts/22`.
/// [`crate::NetworkHandle::follow`] sets which of them this node follows. Peers' subscriptions to them are kept even
/// before this node follows them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicFamily {
    /// The settings of each topic; the name is the prefix. A message that is longer than `max_len` is received up to
    /// the length of the longest topic, and then rejected.
    pub each: TopicSpec,
    /// How many may be followed at once; also bounds the subscriptions that are kept for each peer.
    pub most: usize,
}

impl TopicFamily {
    /// The name of a member.
    pub(crate) fn name(&self, number: u16) -> String {
        format!("{}{number}", self.each.name)
    }

    /// Whether `topic` is the name of a member.
    pub(crate) fn covers(&self, topic: &str) -> bool {
        let number = topic.strip_prefix(&self.each.name).and_then(|number| number.parse().ok());
        // One name for one topic: no `experts/022`.
        number.is_some_and(|number| self.name(number) == topic)
    }
}

/// How a node that cannot be reached directly is reached, and how nodes are found without being told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reach {
    /// Whether this node relays others' connections, within bounds. Off by default: it costs bandwidth.
    pub relay_server: bool,
    /// Whether this node takes places at relays of the mesh by itself, as long as others cannot dial it. On in a public mesh.
    pub auto_relay: bool,
    /// Whether relayed connections are replaced by direct ones (DCUtR). On in a public mesh.
    pub hole_punching: bool,
    /// Whether to ask others at which addresses this node is reachable, and to tell them (AutoNAT v2).
    /// On in a public mesh; in a local one, what a node listens on is where it is reached.
    pub autonat: bool,
    /// Whether to ask the router for an open port (UPnP). On in a public mesh.
    pub upnp: bool,
    /// Whether to look for nodes by multicast (mDNS). Works in a local mesh only, for nodes that listen on more than
    /// loopback; off by default, as it announces this node to the whole local network.
    pub mdns: bool,
}

impl Reach {
    /// The defaults for a mesh of this scope.
    pub fn usual(scope: AddressScope) -> Self {
        let public = scope == AddressScope::Public;
        Self {
            relay_server: false,
            auto_relay: public,
            hole_punching: public,
            autonat: public,
            upnp: public,
            mdns: false,
        }
    }

    /// Nothing: each of them tells others an address.
    fn none() -> Self {
        Self {
            relay_server: false,
            auto_relay: false,
            hole_punching: false,
            autonat: false,
            upnp: false,
            mdns: false,
        }
    }
}

/// Settings of the control plane. Start from [`NetworkConfig::new`].
#[derive(Clone, Debug)]
pub struct NetworkConfig {
    /// The node's key.
    pub key: NodeKey,
    /// The mesh; part of every protocol name.
    pub mesh: MeshId,
    /// Where its nodes may be.
    pub scope: AddressScope,
    /// Addresses to listen on. One that ends in `/p2p-circuit` is listened on through that relay, and again after a
    /// loss.
    pub listen: Vec<Multiaddr>,
    /// Bootstrap nodes, each address ending in `/p2p/ID`. The node keeps them connected, with backoff.
    pub bootstrap: Vec<Multiaddr>,
    /// How many bootstrap nodes are kept connected; all by default. A node that only follows needs a few.
    pub kept_bootstrap: usize,
    /// Addresses at which others reach this node, where they differ from the listen addresses.
    pub external: Vec<Multiaddr>,
    /// Gossip topics.
    pub topics: Vec<TopicSpec>,
    /// Gossip topics that come and go. None by default.
    pub families: Vec<TopicFamily>,
    /// Request protocols; asked by [`crate::NetworkHandle::request`]. None by default.
    pub protocols: Vec<ProtocolSpec>,
    /// Receives the requests of other nodes; without it they are refused. When it is full, they are refused as busy.
    pub requests: Option<mpsc::Sender<InboundRequest>>,
    /// The node's part in the DHT.
    pub mode: DhtMode,
    /// Relays, hole punching, discovery.
    pub reach: Reach,
    /// Connections in all; 256 by default, of which a quarter is kept for those that this node makes. An established
    /// one costs 60 to 90 KiB.
    pub connections: u32,
    /// Connections from nodes that are not registered; a quarter of all by default. In a public mesh an eighth of them
    /// for one /24 (IPv6: /48).
    pub strangers: u32,
    /// Reservations of strangers at this relay, and circuits that strangers open through it; 16 each by default, of 128
    /// and 256.
    pub relay_strangers: u32,
    /// Lookups in the DHT that one peer may ask of this node in a second; 128 by default. More are refused, and a peer with
    /// five times as many is disconnected.
    pub lookups_per_second: u32,
    /// Memory of the whole process, in bytes, above which no new connection is taken or made. Without it, 90 % of the
    /// machine's.
    pub max_memory: Option<usize>,
    /// File that keeps the nodes met so far over a restart; none by default.
    pub peer_store: Option<PathBuf>,
    /// Who may learn the address of this node; none for a node that is not sealed. Set by [`NetworkConfig::sealed`].
    pub contacts: Option<Arc<dyn Contacts>>,
    /// Where the network counts; the node registers them.
    pub metrics: NetworkMetrics,
}

impl NetworkConfig {
    /// A server of the DHT without listen addresses and without bootstrap nodes.
    pub fn new(key: NodeKey, mesh: MeshId, scope: AddressScope) -> Self {
        Self {
            key,
            mesh,
            scope,
            listen: Vec::new(),
            bootstrap: Vec::new(),
            kept_bootstrap: usize::MAX,
            external: Vec::new(),
            topics: Vec::new(),
            families: Vec::new(),
            protocols: Vec::new(),
            requests: None,
            mode: DhtMode::Server,
            reach: Reach::usual(scope),
            connections: 256,
            strangers: 64,
            relay_strangers: 16,
            // A node that looks up every key of its directory at once asks another node for each of them at most once:
            // some dozens.
            lookups_per_second: 128,
            max_memory: None,
            peer_store: None,
            contacts: None,
            metrics: NetworkMetrics::default(),
        }
    }

    /// The same, sealed: it listens nowhere, names no address, and connects to its bootstrap nodes and `contacts` only.
    #[must_use]
    pub fn sealed(self, contacts: Arc<dyn Contacts>) -> Self {
        Self {
            listen: Vec::new(),
            external: Vec::new(),
            mode: DhtMode::Client,
            reach: Reach::none(),
            contacts: Some(contacts),
            ..self
        }
    }
}
