//! DHT lookups, and dialling the registered nodes that they name.

use libp2p::{
    Multiaddr, PeerId,
    kad::{self, QueryResult},
    swarm::dial_opts::DialOpts,
};
use nervure_primitives::{Hash, NodeId};
use tokio::sync::oneshot;

use super::{Lookup, Task};
use crate::{address::is_circuit, network::node_of};

/// Lookups in progress; further ones return no nodes.
const MAX_LOOKUPS: usize = 256;

impl Task {
    pub(super) fn may_look_up(&self) -> bool {
        self.lookups.len() < MAX_LOOKUPS
    }

    pub(super) fn closest(&mut self, key: Hash, reply: oneshot::Sender<Vec<NodeId>>) {
        if !self.may_look_up() {
            // Fails only when the caller has stopped waiting.
            return drop(reply.send(Vec::new()));
        }
        let lookup = self.swarm.behaviour_mut().kad.get_closest_peers(key.as_bytes().to_vec());
        self.lookups.insert(lookup, Lookup::Closest(reply));
    }

    pub(super) fn dht_event(&mut self, event: kad::Event) {
        match event {
            kad::Event::OutboundQueryProgressed {
                id,
                result: QueryResult::GetClosestPeers(result),
                step,
                ..
            } if step.last => {
                let found = match result {
                    Ok(found) => found.peers,
                    // What a lookup found before its timeout is used: only silent nodes are missing.
                    Err(kad::GetClosestPeersError::Timeout { peers, .. }) => peers,
                };
                self.found(id, found);
            }
            // Inserts are manual: a registered peer is dialled, and identify then decides about its place in
            // the table.
            kad::Event::RoutablePeer { peer, address } => self.dial_if_registered(peer, &[address]),
            _ => {}
        }
    }

    fn found(&mut self, id: kad::QueryId, found: Vec<kad::PeerInfo>) {
        match self.lookups.remove(&id) {
            Some(Lookup::Closest(reply)) => {
                // A hostile node may name any peer. Only registered nodes are responsible for a key.
                let nodes = found.into_iter().filter_map(|peer| node_of(peer.peer_id));
                let nodes = nodes.filter(|node| self.admission.is_registered(node));
                // Fails only when the caller has stopped waiting.
                let _ = reply.send(nodes.collect());
            }
            Some(Lookup::Request(ask)) => {
                let wanted = found.into_iter().find(|peer| peer.peer_id == ask.peer);
                self.send_to(ask, wanted.map(|peer| peer.addrs).unwrap_or_default());
            }
            Some(Lookup::Contact(contact)) => {
                let wanted = found.into_iter().find(|peer| peer.peer_id == contact);
                self.dial_contact(contact, wanted.map(|peer| peer.addrs).unwrap_or_default());
            }
            Some(Lookup::Road(peer)) => self.found_for_question(peer, &found),
            None => {}
        }
    }

    /// Whether the routing table knows addresses of `peer`.
    pub(super) fn is_routed(&mut self, peer: &PeerId) -> bool {
        let bucket = self.swarm.behaviour_mut().kad.kbucket(*peer);
        bucket.is_some_and(|bucket| bucket.iter().any(|entry| entry.node.key.preimage() == peer))
    }

    /// Dials a node that another one named, if it is registered and not connected. Not through relays: all nodes would take
    /// their circuits, which are for questions.
    pub(super) fn dial_if_registered(&mut self, peer: PeerId, addresses: &[Multiaddr]) {
        let registered = node_of(peer).is_some_and(|node| self.admission.is_registered(&node));
        let direct = addresses.iter().filter(|address| !is_circuit(address) && self.may_dial(address));
        let addresses: Vec<_> = direct.cloned().collect();
        if registered && !addresses.is_empty() && !self.peers.contains_key(&peer) {
            // Fails only when it is being dialled already.
            let _ = self.swarm.dial(DialOpts::peer_id(peer).addresses(addresses).build());
        }
    }
}
