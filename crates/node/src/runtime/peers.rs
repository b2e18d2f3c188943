//! Which peers are asked, when any of them would do.
//!
//! The order is random because a stranger chooses the id of his node: in any order that follows from ids, he could make
//! himself the one that every node asks first.

use std::collections::BTreeSet;

use nervure_p2p::{NetworkHandle, PeerInfo};
use nervure_primitives::NodeId;
use rand::seq::SliceRandom;

/// The nodes that are connected, without `except`: the registered ones first, each part in random order. For a node that
/// knows no newer registrations than those of the genesis, and verifies what they answer.
pub(crate) async fn all(network: &NetworkHandle, except: &BTreeSet<NodeId>) -> Vec<NodeId> {
    let mut peers = connected(network, except).await;
    // Stable: the parts keep their random order.
    peers.sort_by_key(|peer| !peer.registered);
    peers.into_iter().map(|peer| peer.node).collect()
}

/// The registered nodes that are connected, without `except`, in random order.
pub(crate) async fn registered(network: &NetworkHandle, except: &BTreeSet<NodeId>) -> Vec<NodeId> {
    let peers = connected(network, except).await;
    peers.into_iter().filter(|peer| peer.registered).map(|peer| peer.node).collect()
}

/// The peers without `except`, in random order.
async fn connected(network: &NetworkHandle, except: &BTreeSet<NodeId>) -> Vec<PeerInfo> {
    let mut peers = network.peers().await.unwrap_or_default();
    peers.retain(|peer| !except.contains(&peer.node));
    peers.shuffle(&mut rand::rng());
    peers
}
