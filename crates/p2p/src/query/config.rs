//! Bounds of the query plane.

use std::{
    net::SocketAddr,
    num::{NonZeroU32, NonZeroUsize},
    time::Duration,
};

use nervure_primitives::{MeshId, NodeKey};

use super::ServerMetrics;

mod class_limits;

pub use class_limits::{AskerLimits, ClassLimits};

/// Settings of the server.
#[derive(Clone, Debug)]
pub struct ServerConfig {
    /// The node's key.
    pub key: NodeKey,
    /// The mesh; a client of another one fails in the handshake.
    pub mesh: MeshId,
    /// UDP addresses; port 0 lets the system choose, the same port for all where it is free.
    pub bind: Vec<SocketAddr>,
    /// Connections in all; 1,024 by default. Beyond half of them, new addresses must prove themselves (QUIC Retry). Free
    /// keys get at most half of them.
    pub connections: NonZeroUsize,
    /// Connections of free keys (strangers, and registered nodes without stake) from one /24 (IPv6: /48), and handshakes
    /// there that have not shown a key yet; 64 each by default.
    pub connections_per_subnet: NonZeroUsize,
    /// Whether connections of this host are exempt from `connections_per_subnet`: the nodes of a local mesh share one
    /// address. True by default.
    pub loopback_is_exempt: bool,
    /// Queries in progress in all; 16,384 by default, each with at most 16 KiB besides `memory_kib`. Free keys get at most
    /// half of them.
    pub queries: NonZeroUsize,
    /// Memory for queries longer than 16 KiB in all, in KiB; 64 MiB by default.
    pub memory_kib: NonZeroUsize,
    /// What one asker gets, by its class.
    pub classes: AskerLimits,
    /// Queries per second of all free keys together; 4,000 by default.
    pub free_rate: NonZeroU32,
    /// Timeout of the handshake; 5 s by default.
    pub handshake: Duration,
    /// Timeout from the start of a stream to its whole open frame; 5 s by default.
    pub header: Duration,
    /// How long a refusal may wait for an asker that does not read; 1 s by default.
    pub refusal: Duration,
    /// Idle timeout of a connection; 30 s by default.
    pub idle: Duration,
    /// Where the server counts; the node registers them.
    pub metrics: ServerMetrics,
}

/// Settings of the client.
#[derive(Clone, Debug)]
pub struct ClientConfig {
    /// The node's key.
    pub key: NodeKey,
    /// The mesh.
    pub mesh: MeshId,
    /// Connections that are kept; the least recently used one is evicted. 256 by default.
    pub connections: NonZeroUsize,
    /// Timeout for connecting; 3 s by default.
    pub connect: Duration,
    /// Timeout for the first frame of an answer, a sign of life among them; 20 s by default.
    pub first_byte: Duration,
    /// Timeout between two frames, signs of life among them; 15 s by default.
    pub between: Duration,
}

const fn count(n: usize) -> NonZeroUsize {
    NonZeroUsize::MIN.saturating_add(n - 1)
}

const fn rate(n: u32) -> NonZeroU32 {
    NonZeroU32::MIN.saturating_add(n - 1)
}

impl ServerConfig {
    /// The defaults, on all of `bind`.
    pub fn new(key: NodeKey, mesh: MeshId, bind: impl IntoIterator<Item = SocketAddr>) -> Self {
        Self {
            key,
            mesh,
            bind: bind.into_iter().collect(),
            connections: count(1024),
            connections_per_subnet: count(64),
            loopback_is_exempt: true,
            queries: count(16_384),
            memory_kib: count(64 * 1024),
            classes: AskerLimits::default(),
            free_rate: rate(4_000),
            handshake: Duration::from_secs(5),
            header: Duration::from_secs(5),
            refusal: Duration::from_secs(1),
            idle: Duration::from_secs(30),
            metrics: ServerMetrics::default(),
        }
    }
}

impl ClientConfig {
    /// The defaults.
    pub fn new(key: NodeKey, mesh: MeshId) -> Self {
        Self {
            key,
            mesh,
            connections: count(256),
            connect: Duration::from_secs(3),
            first_byte: Duration::from_secs(20),
            between: Duration::from_secs(15),
        }
    }
}
