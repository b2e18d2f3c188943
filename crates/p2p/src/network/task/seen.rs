//! How others see this node: the addresses from which its connections come, and what the local router says.

use std::collections::{BTreeMap, BTreeSet};

use libp2p::{
    Multiaddr, PeerId,
    multiaddr::Protocol,
    swarm::{FromSwarm, NetworkBehaviour, NewExternalAddrCandidate},
    upnp,
};
use serde::Serialize;

use super::Task;
use crate::address::is_circuit;

/// Observed addresses that are kept, one for each peer; the first ones stay.
const MAX_OBSERVED: usize = 16;

/// Observed addresses that are offered for hole punching while the node runs. A symmetric NAT makes a new one for each peer,
/// and none of them leads to this node.
const MAX_OFFERED: usize = 32;

/// What the local router says about opening a port (UPnP).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PortMapping {
    /// It was not asked, or has not answered yet.
    #[default]
    Unknown,
    /// It opened a port.
    Open,
    /// There is no router that opens ports.
    NoGateway,
    /// The router is behind another one (double NAT, or the provider's).
    NotPublic,
    /// It does not renew the port.
    Expired,
}

/// How others see this node.
#[derive(Default)]
pub(super) struct Seen {
    observed: BTreeMap<PeerId, Multiaddr>,
    offered: BTreeSet<Multiaddr>,
    pub(super) mapping: PortMapping,
}

impl Seen {
    /// A connected peer says from where this node's connection comes. It may lie; several are compared.
    pub(super) fn observed(&mut self, peer: PeerId, address: Multiaddr) {
        if self.observed.len() < MAX_OBSERVED || self.observed.contains_key(&peer) {
            self.observed.insert(peer, address);
        }
    }

    /// Whether `address` is to be offered for hole punching: once each, up to a bound.
    fn offer(&mut self, address: &Multiaddr) -> bool {
        self.offered.len() < MAX_OFFERED && self.offered.insert(address.clone())
    }

    /// The peer has left.
    pub(super) fn forget(&mut self, peer: &PeerId) {
        self.observed.remove(peer);
    }

    /// One address from each peer.
    pub(super) fn addresses(&self) -> Vec<Multiaddr> {
        self.observed.values().cloned().collect()
    }
}

impl Task {
    /// What identify says of a connection that this node made: only there is the source port this node's own.
    pub(super) fn seen_as(&mut self, peer: PeerId, address: Multiaddr) {
        let outbound = self.peers.get(&peer).is_some_and(|known| !known.inbound);
        if outbound && !is_circuit(&address) {
            self.offer_candidate(&address);
            self.seen.observed(peer, address);
        }
    }

    /// Offers an observed address for hole punching and for a probe. Identify offers only those with the port that this node
    /// listens on: it replaces another port by that one. A NAT that changes ports needs the observed one: QUIC dials from
    /// the port that it listens on, so that the NAT has one mapping for both.
    fn offer_candidate(&mut self, address: &Multiaddr) {
        let Some(port) = quic_port(address) else { return };
        let is_own = self.swarm.listeners().any(|own| quic_port(own) == Some(port));
        if is_own || !self.seen.offer(address) {
            return;
        }
        let candidate = FromSwarm::NewExternalAddrCandidate(NewExternalAddrCandidate { addr: address });
        let behaviour = self.swarm.behaviour_mut();
        behaviour.holes.on_swarm_event(candidate);
        behaviour.probe.on_swarm_event(candidate);
    }

    pub(super) fn router_event(&mut self, event: &upnp::Event) {
        self.seen.mapping = match event {
            upnp::Event::NewExternalAddr { .. } => PortMapping::Open,
            upnp::Event::ExpiredExternalAddr { .. } => PortMapping::Expired,
            upnp::Event::GatewayNotFound => PortMapping::NoGateway,
            upnp::Event::NonRoutableGateway => PortMapping::NotPublic,
        };
    }
}

/// The port of a QUIC address.
fn quic_port(address: &Multiaddr) -> Option<u16> {
    let is_quic = address.iter().any(|part| part == Protocol::QuicV1);
    address.iter().filter(|_| is_quic).find_map(|part| match part {
        Protocol::Udp(port) => Some(port),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn observed_addresses_are_bounded_and_leave_with_their_peer() {
        let (mut seen, first) = (Seen::default(), PeerId::random());
        let address: Multiaddr = "/ip4/8.8.4.4/udp/7/quic-v1".parse().unwrap();
        seen.observed(first, address.clone());
        (0..100).for_each(|_| seen.observed(PeerId::random(), address.clone()));
        assert_eq!(seen.addresses().len(), MAX_OBSERVED);
        let other: Multiaddr = "/ip4/8.8.4.4/udp/8/quic-v1".parse().unwrap();
        seen.observed(first, other.clone());
        assert!(seen.addresses().contains(&other), "a known peer may correct itself");
        seen.forget(&first);
        assert!(!seen.addresses().contains(&other));
    }

    #[test]
    fn addresses_are_offered_once_and_not_without_end() {
        let (mut seen, address) = (Seen::default(), |port: u16| {
            format!("/ip4/8.8.4.4/udp/{port}/quic-v1").parse::<Multiaddr>().unwrap()
        });
        assert!(seen.offer(&address(1)) && !seen.offer(&address(1)));
        let offered = (1..1000).filter(|port| seen.offer(&address(*port))).count();
        assert_eq!(offered, MAX_OFFERED - 1);
        assert_eq!(quic_port(&address(7)), Some(7));
        assert_eq!(quic_port(&"/ip4/8.8.4.4/tcp/7".parse().unwrap()), None);
    }
}
