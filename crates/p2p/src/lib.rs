//! The network: moves bytes between nodes. It does not know subnets, the ledger or models.
//!
//! [`Network`] is the control plane: one task owns a libp2p swarm, and the rest of the node holds a [`NetworkHandle`].
//! [`query`] is the data plane: a separate QUIC endpoint. The node passes an [`Admission`] policy that decides which
//! peers may enter either.

mod address;
mod admission;
mod backoff;
mod behaviour;
mod circuit_limits;
mod config;
mod contacts;
mod dht;
mod diversity;
#[doc(hidden)]
pub mod fuzzing;
mod gossip;
mod network;
mod peer_store;
pub mod query;
mod rate;
mod request;
mod roads;
mod transport;

pub use address::is_global;
pub use admission::Admission;
pub use circuit_limits::StreamNeeds;
pub use config::{AddressScope, DhtMode, NetworkConfig, Reach, TopicFamily, TopicSpec};
pub use contacts::Contacts;
pub use libp2p::Multiaddr;
pub use network::{
    FollowError, GossipMessage, Network, NetworkError, NetworkHandle, NetworkMetrics, NetworkStatus,
    PeerInfo, PortMapping, PublishError, QueryStreams, Stopped, StreamError, Verdict,
};
pub use request::{InboundRequest, ProtocolSpec, RequestError};
pub use roads::Road;

/// The example of the README runs as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
