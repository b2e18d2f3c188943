//! The directory: expert records on the nodes that the DHT names, for nodes that have not received the gossip.
//!
//! # Design
//! Kademlia stores nothing; it says *who is responsible* for a [`key`]: the nodes closest to it. A record is published
//! to them under every prefix of its capability, the empty one included, so that one lookup finds everything below
//! `text.generate`, or everything. Keys are split into
//! [`SHARDS`] by the advertising node, so that no node has to answer for all experts of a popular capability, and change with the
//! [`epoch`], so that no node can place itself next to one permanently.
//!
//! A responsible node keeps the records that it receives in the same [`Index`](crate::Index) that gossip fills, and
//! answers with signed records: it can leave some out, and a client asks several for that reason, but it cannot invent
//! or change one. The filter is applied where the index is, so that a page of records is a page of matches.
//!
//! # What a hostile peer can do
//! * *Publish invalid records*: each record costs one signature check of at most [`MAX_PUBLISH`]; only registered
//!   nodes' own records count, and each node has a bounded number in the index.
//! * *Ask for much*: an answer has at most [`MAX_RESPONSE`] bytes and [`MAX_PAGE`] records; the rest takes further
//!   requests, of which the network bounds the rate.
//! * *Answer with invalid records*: pages are bounded before they are decoded, and their records verified one by one.
//!
//! [`key`]: nervure_protocol::directory::key
//! [`SHARDS`]: nervure_protocol::directory::SHARDS
//! [`epoch`]: nervure_protocol::directory::epoch
//! [`MAX_PUBLISH`]: nervure_protocol::bounds::MAX_PUBLISH
//! [`MAX_PAGE`]: nervure_protocol::bounds::MAX_PAGE

mod client;
mod server;

pub use client::{DirectoryError, FoundPage, read_page, read_published};
pub use server::{Context, answer};

use nervure_protocol::protocols::DIRECTORY;

/// Longest response, in bytes.
pub const MAX_RESPONSE: usize = DIRECTORY.max_response;

/// Longest request, in bytes.
pub const MAX_REQUEST: usize = DIRECTORY.max_request;

/// Name of the request protocol.
pub const PROTOCOL: &str = DIRECTORY.name;

#[cfg(test)]
mod tests;
