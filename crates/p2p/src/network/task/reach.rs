//! Where this node is reached, and whom it hears of without asking.

use std::collections::BTreeMap;

use libp2p::{Multiaddr, PeerId, core::transport::ListenerId, dcutr, mdns, relay};

use super::Task;
use crate::{Scope, diversity::ADDRESSES_PER_NODE, network::circuits::is_circuit};

/// Nodes that one answer to a multicast may name.
const HEARD_AT_ONCE: usize = 64;

impl Task {
    /// In a local mesh, what a node listens on is where others reach it. Where AutoNAT is on, that has to be shown.
    pub(super) fn listening(&mut self, listener: ListenerId, address: Multiaddr) {
        self.circuits.listening(listener);
        if self.config.scope == Scope::Local && !self.config.reach.autonat && !is_circuit(&address) {
            self.swarm.add_external_address(address);
        }
    }

    pub(super) fn relay_event(&mut self, event: &relay::Event) {
        match event {
            relay::Event::ReservationReqDenied { .. } | relay::Event::CircuitReqDenied { .. } => {
                self.status.circuits_refused += 1;
            }
            _ => {}
        }
    }

    pub(super) fn punched(&mut self, event: &dcutr::Event) {
        match &event.result {
            Ok(_) => self.status.holes_punched += 1,
            Err(error) => tracing::debug!(peer = %event.remote_peer_id, %error, "no direct connection"),
        }
    }

    /// Multicast is anybody's word: who is named is dialled only if registered, and proves itself then.
    pub(super) fn heard(&mut self, event: mdns::Event) {
        let mdns::Event::Discovered(heard) = event else { return };
        let mut nodes: BTreeMap<PeerId, Vec<Multiaddr>> = BTreeMap::new();
        for (peer, address) in heard.into_iter().take(HEARD_AT_ONCE * ADDRESSES_PER_NODE) {
            nodes.entry(peer).or_default().push(address);
        }
        for (peer, addresses) in nodes.into_iter().take(HEARD_AT_ONCE) {
            self.meet(peer, &addresses[..addresses.len().min(ADDRESSES_PER_NODE)]);
        }
    }
}
