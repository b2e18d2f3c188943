//! The control plane between real swarms on loopback. One scenario per file.
//!
//! Every wait is a bounded poll of some state ([`cluster::eventually`]); nothing here is timed.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod cluster;

mod bootstrap_restarts;
mod closest;
mod connect;
mod dial_filter;
mod gossip;
mod hostile;
mod later_topics;
mod limits;
mod multicast;
mod other_mesh;
mod peer_store;
mod reachable;
mod registry;
mod relay;
mod request;
mod road;
mod sealed;
mod spam;
mod stop;
mod strangers;
