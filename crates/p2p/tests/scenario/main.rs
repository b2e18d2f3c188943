//! The control plane between real swarms on loopback. One scenario a file.
//!
//! Every wait is a bounded poll of some state ([`cluster::eventually`]); nothing here is timed.

mod cluster;

mod bootstrap_restarts;
mod closest;
mod connect;
mod gossip;
mod other_mesh;
mod strangers;
