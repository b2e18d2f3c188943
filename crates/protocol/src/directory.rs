//! The directory: expert records on the nodes that the DHT names, for nodes that missed the gossip.
//!
//! # Design
//! Kademlia stores nothing; it says *which nodes are responsible* for a [`key`]: those closest to it. A record is
//! published to them under every prefix of its capability, the empty one included, so that one lookup finds everything
//! below `text.generate`, or everything. Keys are split into [`SHARDS`] by the advertising node, so that no node has
//! to answer for all experts of a popular capability. They change with the [`epoch`], so that no node stays close to
//! one for long. Each record has [`COPIES`] keys, which are far from each other.
//!
//! # What a hostile peer can do
//! * *Publish garbage*: each request has at most [`MAX_PUBLISH`](crate::bounds::MAX_PUBLISH) records, and each costs
//!   one signature check.
//! * *Answer with garbage*: a page has at most [`MAX_PAGE`](crate::bounds::MAX_PAGE) records and
//!   [`DIRECTORY`](crate::protocols::DIRECTORY)'s bytes. Its records are verified one by one, so a node can leave
//!   records out but not invent them.
//! * *Register many nodes next to a key*: then all nodes that are responsible for it are the adversary's. The other copies
//!   are elsewhere.

mod key;
mod message;

use std::time::Duration;

pub use key::{epoch, epochs, key, keys, shard};
pub use message::{DirectoryRequest, DirectoryResponse, FindRecords, PageCursor};

/// Parts that the experts of each capability are split into, by node.
pub const SHARDS: u8 = 4;

/// Keys of the same records. A key tells everyone where its responsible nodes are, so that an adversary
/// that registers nodes next to it becomes responsible for it. That costs as much again for each further key, and one honest node suffices.
pub const COPIES: u8 = 2;

/// Nodes that a record is published to, for each key.
pub const REPLICAS: usize = 2;

/// How long the nodes closest to a key are responsible for it.
pub const EPOCH: Duration = Duration::from_secs(3600);
