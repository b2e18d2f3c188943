//! Bounds of the query plane.

use std::{
    net::SocketAddr,
    num::{NonZeroU32, NonZeroUsize},
    time::Duration,
};

use nervure_primitives::{MeshId, NodeKey};

use super::ServerMetrics;

/// Settings of the server.
#[derive(Clone, Debug)]
pub struct ServerConfig {
    /// The node's key.
    pub key: NodeKey,
    /// The mesh; a client of another one fails in the handshake.
    pub mesh: MeshId,
    /// UDP address; port 0 lets the system choose.
    pub bind: SocketAddr,
    /// Connections in all; 1,024 by default. Beyond half of them, new addresses must prove themselves (QUIC Retry).
    pub connections: NonZeroUsize,
    /// Connections from one /24 (IPv6: /48); 64 by default, all for loopback.
    pub connections_per_subnet: NonZeroUsize,
    /// Queries in progress on one connection; 256 by default.
    pub streams: NonZeroU32,
    /// Queries in progress in all; 16,384 by default, each with at most 16 KiB besides `memory_kib`.
    pub queries: NonZeroUsize,
    /// Memory for queries longer than 16 KiB in all, in KiB; 64 MiB by default.
    pub memory_kib: NonZeroUsize,
    /// Queries per second of one registered node; 100,000 by default.
    pub rate_registered: NonZeroU32,
    /// Queries per second of one stranger; 50 by default.
    pub rate_stranger: NonZeroU32,
    /// Timeout of the handshake; 5 s by default.
    pub handshake: Duration,
    /// Timeout from the start of a stream to its whole open frame; 5 s by default.
    pub header: Duration,
    /// The longest time for an answer; 10 minutes by default.
    pub answer: Duration,
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
    /// Timeout for the first frame of an answer; 20 s by default.
    pub first_byte: Duration,
    /// Timeout between two frames; 15 s by default.
    pub between: Duration,
}

const fn count(n: usize) -> NonZeroUsize {
    NonZeroUsize::MIN.saturating_add(n - 1)
}

const fn rate(n: u32) -> NonZeroU32 {
    NonZeroU32::MIN.saturating_add(n - 1)
}

impl ServerConfig {
    /// The defaults, on `bind`.
    pub fn new(key: NodeKey, mesh: MeshId, bind: SocketAddr) -> Self {
        Self {
            key,
            mesh,
            bind,
            connections: count(1024),
            connections_per_subnet: count(64),
            streams: rate(256),
            queries: count(16_384),
            memory_kib: count(64 * 1024),
            rate_registered: rate(100_000),
            rate_stranger: rate(50),
            handshake: Duration::from_secs(5),
            header: Duration::from_secs(5),
            answer: Duration::from_secs(600),
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
