//! The directory: expert records on the nodes that the DHT names, for whoever has not heard the gossip.
//!
//! # Design
//! Kademlia stores nothing; it says *who is responsible* for a [`key`]: the nodes closest to it. A record is published to them under every
//! prefix of its capability, the empty one included, so that one lookup finds everything below `text.generate`, or everything. Keys are split into
//! [`SHARDS`] by the advertising node, so that no node has to answer for all experts of a popular capability, and change with the
//! [`epoch`], so that nobody can settle next to one for ever.
//!
//! A responsible node keeps what it is told in the same [`Index`](crate::Index) that gossip fills, and answers with signed records: it can
//! leave some out, and a client asks several for that reason, but it cannot invent or change one. The filter is applied
//! where the index is, so that a page of records is a page of matches.
//!
//! # What a hostile peer can do
//! * *Publish rubbish*: each record costs one signature check of at most [`MAX_PUBLISH`]; only registered nodes' own records count,
//!   and each node has a bounded number in the index.
//! * *Ask for much*: an answer has at most [`MAX_RESPONSE`] bytes and [`MAX_PAGE`] records; the rest takes further requests, of which
//!   the network bounds the rate.
//! * *Answer with rubbish*: pages are bounded before they are decoded, and their records verified one by one.

mod client;
mod message;
mod server;

use std::time::Duration;

use nervure_primitives::{Capability, Hash, MeshId, Netuid, NodeId, UnixMillis};

pub use client::{DirectoryError, FoundPage, read_page, read_published};
pub use message::{FindRecords, PageCursor, Request, Response};
pub use server::{Context, answer};

/// Name of the request protocol.
pub const PROTOCOL: &str = "directory/1";

/// Parts that the experts of each capability are split into, by node.
pub const SHARDS: u8 = 4;

/// Nodes that a record is published to, for each prefix of its capability.
pub const REPLICAS: usize = 4;

/// Longest request, in bytes.
pub const MAX_REQUEST: usize = 64 << 10;

/// Longest answer, in bytes.
pub const MAX_RESPONSE: usize = 64 << 10;

/// Most records in one request to publish.
pub const MAX_PUBLISH: usize = 32;

/// Most records in one page; their bytes bound it as well.
pub const MAX_PAGE: usize = 256;

/// How long a key's nodes are responsible.
pub const EPOCH: Duration = Duration::from_secs(3600);

/// The number of the epoch that `now` is in.
pub fn epoch(now: UnixMillis) -> u64 {
    now.0 / EPOCH.as_millis() as u64
}

/// The epochs under which a record that holds at `now` may have been published: the current one, and the one before while
/// records of that time, which live for `expiry`, may still hold.
pub fn epochs(now: UnixMillis, expiry: Duration) -> impl Iterator<Item = u64> {
    let current = epoch(now);
    let begun = UnixMillis(current * EPOCH.as_millis() as u64);
    let before = (now.since(begun) < expiry).then(|| current.saturating_sub(1));
    std::iter::once(current).chain(before)
}

/// The shard that `node`'s experts are in.
pub fn shard(node: &NodeId) -> u8 {
    Hash::of("nervure/directory/shard", &[node.as_bytes()]).as_bytes()[0] % SHARDS
}

/// What the nodes closest to are responsible for: the experts of `shard` whose capability `capability` covers.
pub fn key(mesh: &MeshId, netuid: Netuid, capability: Option<&Capability>, shard: u8, epoch: u64) -> Hash {
    let capability = capability.map_or("", Capability::as_str);
    let parts: [&[u8]; 5] =
        [mesh.as_bytes(), &netuid.0.to_be_bytes(), capability.as_bytes(), &[shard], &epoch.to_be_bytes()];
    Hash::of("nervure/directory/key", &parts)
}

/// The keys under which `node` publishes an expert in epoch `epoch`: one for each prefix, and the one for everything.
pub fn keys(
    mesh: &MeshId,
    (node, netuid): (&NodeId, Netuid),
    capability: &Capability,
    epoch: u64,
) -> Vec<Hash> {
    let shard = shard(node);
    let prefixes = capability.prefixes().map(Some).chain([None]);
    prefixes.map(|prefix| key(mesh, netuid, prefix.as_ref(), shard, epoch)).collect()
}

#[cfg(test)]
mod tests;
