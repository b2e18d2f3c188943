//! Whether and how others reach this node, as a document.

use std::{collections::BTreeSet, net::SocketAddr};

use nervure_api::ReachView;
use nervure_p2p::{Multiaddr, NetworkStatus, PortMapping};

use super::address;

/// The state of the network as a document.
pub(crate) fn view(network: &NetworkStatus, local: bool, query: &[SocketAddr]) -> ReachView {
    let texts = |addresses: &[Multiaddr]| addresses.iter().map(ToString::to_string).collect();
    // A relay is listed once, at its first address.
    let mut known = BTreeSet::new();
    let is_new = |address: &&Multiaddr| address::relay(address).is_some_and(|relay| known.insert(relay));
    let relays = network.listening.iter().filter(is_new).map(ToString::to_string).collect();
    let mapping = match network.mapping {
        PortMapping::Unknown => "unknown",
        PortMapping::Open => "open",
        PortMapping::NoGateway => "no_gateway",
        PortMapping::NotPublic => "not_public",
        PortMapping::Expired => "expired",
    };
    ReachView {
        sealed: network.sealed,
        dialable: network.reachable,
        local,
        addresses: texts(&network.external),
        relays,
        observed: texts(&network.observed),
        mapping: mapping.into(),
        query: query.iter().map(ToString::to_string).collect(),
    }
}
