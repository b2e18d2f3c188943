//! Reachability: listen addresses, relays, hole punching, and nodes found by mDNS.

use std::collections::BTreeMap;

use libp2p::{Multiaddr, PeerId, core::transport::ListenerId, dcutr, mdns, relay};

use super::Task;
use crate::{Scope, diversity::MAX_ADDRESSES_PER_NODE, network::circuits::is_circuit};

/// Nodes that are taken from one mDNS answer.
const MAX_MDNS_NODES: usize = 64;

impl Task {
    /// In a local mesh, what a node listens on is where others reach it. Where AutoNAT is on, it
    /// confirms them first.
    pub(super) fn listening(&mut self, listener: ListenerId, address: Multiaddr) {
        self.circuits.listening(listener);
        if self.config.scope == Scope::Local && !self.config.reach.autonat && !is_circuit(&address) {
            self.swarm.add_external_address(address);
        }
    }

    pub(super) fn relay_event(&mut self, event: &relay::Event) {
        match event {
            relay::Event::ReservationReqDenied { .. } | relay::Event::CircuitReqDenied { .. } => {
                self.metrics.circuits_refused.inc();
            }
            _ => {}
        }
    }

    pub(super) fn hole_punch_event(&mut self, event: &dcutr::Event) {
        match &event.result {
            Ok(_) => {
                self.metrics.holes_punched.inc();
            }
            Err(error) => tracing::debug!(peer = %event.remote_peer_id, %error, "hole punching failed"),
        }
    }

    /// Any machine of the network can answer by multicast. A named node is dialled only if it is registered, and the
    /// handshake then proves its key.
    pub(super) fn mdns_event(&mut self, event: mdns::Event) {
        let mdns::Event::Discovered(discovered) = event else { return };
        let mut nodes: BTreeMap<PeerId, Vec<Multiaddr>> = BTreeMap::new();
        for (peer, address) in discovered.into_iter().take(MAX_MDNS_NODES * MAX_ADDRESSES_PER_NODE) {
            nodes.entry(peer).or_default().push(address);
        }
        for (peer, addresses) in nodes.into_iter().take(MAX_MDNS_NODES) {
            self.dial_if_registered(peer, &addresses[..addresses.len().min(MAX_ADDRESSES_PER_NODE)]);
        }
    }
}
