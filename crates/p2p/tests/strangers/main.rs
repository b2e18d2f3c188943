//! A stranger on the swarm: this crate's own network, misused. Each attack has a variant in which the defence is off, or
//! which shows what the attack does to those that it reaches. What each costs is in `docs/security.md`.
//!
//! The meshes of `gossip` and `dht` run over channels in this process; `cargo run --release -p nervure-p2p --example
//! strangers` runs them in full size.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

#[allow(dead_code, reason = "the other tests use all of it")]
#[path = "../scenario/cluster.rs"]
mod cluster;
mod crowd;

mod connections;
mod dht;
mod gossip;
mod graft;
mod identify;
mod lookups;
mod relay;
