//! Reachability: listen addresses, relays, hole punching, and nodes found by mDNS.

use std::collections::BTreeMap;

use libp2p::{Multiaddr, PeerId, core::transport::ListenerId, dcutr, mdns, relay};

use super::Task;
use crate::{AddressScope, address::is_circuit, diversity::MAX_ADDRESSES_PER_NODE, is_global};

/// Nodes that are taken from one mDNS answer.
const MAX_MDNS_NODES: usize = 64;

impl Task {
    /// In a local mesh, what a node listens on is where others reach it. Where AutoNAT is on, it
    /// confirms them first. A relay of a public mesh is asked for its addresses before that: its operator says that others
    /// reach it.
    pub(super) fn listening(&mut self, listener: ListenerId, address: Multiaddr) {
        self.circuits.listening(listener);
        let is_ours = match self.config.scope {
            AddressScope::Local => !self.config.reach.autonat,
            AddressScope::Public => self.config.reach.relay_server && is_global(&address),
        };
        if is_ours && !is_circuit(&address) {
            self.swarm.add_external_address(address);
        }
    }

    /// AutoNAT has tried an address of this node. One that cannot be dialled says nothing where another one was.
    pub(super) fn probed(&mut self, reachable: bool) {
        let dialled = |address: &Multiaddr| !is_circuit(address);
        if reachable || !self.swarm.external_addresses().any(dialled) {
            self.reachable = Some(reachable);
        }
    }

    pub(super) fn relay_event(&mut self, event: &relay::Event) {
        match event {
            relay::Event::ReservationReqDenied { .. } | relay::Event::CircuitReqDenied { .. } => {
                self.metrics.circuits_refused.inc();
            }
            relay::Event::ReservationReqAccepted { src_peer_id: peer, .. }
                if self.is_stranger(peer)
                    && !self.relay_share.reserve(*peer, self.config.relay_strangers) =>
            {
                self.refuse_relay(*peer);
            }
            relay::Event::CircuitReqAccepted { src_peer_id: peer, .. }
                if self.is_stranger(peer)
                    && !self.relay_share.connect(*peer, self.config.relay_strangers) =>
            {
                self.refuse_relay(*peer);
            }
            relay::Event::ReservationClosed { src_peer_id }
            | relay::Event::ReservationTimedOut { src_peer_id } => self.relay_share.unreserve(src_peer_id),
            relay::Event::CircuitClosed { src_peer_id, .. } => self.relay_share.close(src_peer_id),
            _ => {}
        }
    }

    fn is_stranger(&self, peer: &PeerId) -> bool {
        self.peers.get(peer).is_some_and(|peer| !peer.registered)
    }

    /// Strangers hold their share of this relay: closes what this one holds.
    fn refuse_relay(&mut self, peer: PeerId) {
        self.metrics.circuits_refused.inc();
        tracing::debug!(%peer, "a stranger beyond the strangers' share of this relay; disconnecting");
        self.relay_share.forget(&peer);
        self.disconnect(peer);
    }

    pub(super) fn hole_punch_event(&mut self, event: &dcutr::Event) {
        // A hole that was punched shows by its connection.
        if let Err(error) = &event.result {
            tracing::debug!(peer = %event.remote_peer_id, %error, "hole punching failed");
            self.punch_failed(event.remote_peer_id);
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
