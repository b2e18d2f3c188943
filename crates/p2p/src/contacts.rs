//! Contacts: the nodes that may learn the address of a sealed node.
//!
//! # Design
//! A sealed node listens nowhere, names no address, answers no lookups and has no relay. It opens connections to its
//! bootstrap nodes and its contacts, and to no others: a dial to another node is denied before a packet is sent, whichever
//! protocol wanted it. Its contacts use the connections that it has opened.
//!
//! # What others can do
//! A contact, a bootstrap node and an observer of their networks see the address and can tell it. A node that is neither
//! cannot make a sealed node connect to it: not by what it answers to lookups, nor by its place next to a key of the DHT.

use std::fmt;

use nervure_primitives::NodeId;

/// Who may learn the address of this node.
pub trait Contacts: fmt::Debug + Send + Sync + 'static {
    /// The contacts of now, the most important first. Asked every few seconds: a node that is no contact any more is
    /// disconnected.
    fn current(&self) -> Vec<NodeId>;
}
