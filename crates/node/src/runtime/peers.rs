//! Which peers are asked, when any of them would do.

use std::collections::BTreeSet;

use nervure_p2p::NetworkHandle;
use nervure_primitives::NodeId;
use rand::seq::SliceRandom;

/// The registered nodes that are connected, without `except`, in random order.
///
/// The order is random because a stranger chooses the id of his node: in any order that follows from ids, he could make
/// himself the one that every node asks first.
pub(crate) async fn registered(network: &NetworkHandle, except: &BTreeSet<NodeId>) -> Vec<NodeId> {
    let peers = network.peers().await.unwrap_or_default();
    let registered = peers.into_iter().filter(|peer| peer.registered).map(|peer| peer.node);
    let mut registered: Vec<_> = registered.filter(|peer| !except.contains(peer)).collect();
    registered.shuffle(&mut rand::rng());
    registered
}
