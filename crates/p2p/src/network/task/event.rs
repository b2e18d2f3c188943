//! Swarm events: connections are handled here, the rest is passed on.

use std::time::Duration;

use libp2p::{
    Multiaddr, PeerId,
    core::ConnectedPoint,
    multiaddr::Protocol,
    ping,
    swarm::{ConnectionError, DialError, ListenError, SwarmEvent},
};
use nervure_protocol::names::AgentName;
use tokio::time::Instant;

use super::{Peer, Roads, Task, roaming::own_address_to};
use crate::{
    AddressScope, address::is_circuit, behaviour::BehaviourEvent, diversity::subnet, gossip::Standing,
    network::node_of, transport::first_hop,
};

/// In a public mesh, strangers of one network (/24 or /48) get one in so many of the strangers' connections, at least
/// one.
const STRANGER_NETWORKS: usize = 8;

/// Within this time a second connection counts as the other half of a simultaneous dial, not as a restart.
const SIMULTANEOUS_DIAL_WINDOW: Duration = Duration::from_secs(3);

impl Task {
    pub(super) fn event(&mut self, event: SwarmEvent<BehaviourEvent>) {
        match event {
            SwarmEvent::Behaviour(event) => self.behaviour_event(event),
            SwarmEvent::ConnectionEstablished { peer_id, connection_id, endpoint, .. } => {
                self.sources.add((connection_id, peer_id), &endpoint, own_address_to);
                self.connected(peer_id, &endpoint);
            }
            SwarmEvent::ConnectionClosed { peer_id, connection_id, endpoint, num_established, cause } => {
                self.sources.remove(connection_id);
                match num_established {
                    0 => {
                        self.disconnected(&peer_id, matches!(cause, Some(ConnectionError::KeepAliveTimeout)))
                    }
                    _ => self.road_closed(&peer_id, &endpoint),
                }
            }
            SwarmEvent::OutgoingConnectionError { peer_id: Some(peer), error, .. } => {
                tracing::debug!(%peer, %error, "dialling failed");
                self.unreachable(
                    &peer,
                    // Other errors, such as a limit of this node or a dial in progress, say nothing about the
                    // peer.
                    matches!(error, DialError::Transport(_) | DialError::WrongPeerId { .. }),
                );
            }
            SwarmEvent::IncomingConnectionError { error: ListenError::Denied { .. }, .. } => {
                self.metrics.connections_refused.inc();
            }
            SwarmEvent::NewListenAddr { listener_id, address } => self.listening(listener_id, address),
            // The machine has lost it: others are no longer told.
            SwarmEvent::ExpiredListenAddr { address, .. } => self.swarm.remove_external_address(&address),
            SwarmEvent::ListenerClosed { listener_id, .. } => {
                self.circuits.closed(listener_id, Instant::now());
            }
            _ => {}
        }
    }

    fn behaviour_event(&mut self, event: BehaviourEvent) {
        match event {
            BehaviourEvent::Gossip(event) => self.gossip_event(event),
            BehaviourEvent::Requests(event) => self.request_event(event),
            BehaviourEvent::Identify(event) => self.identified(event),
            BehaviourEvent::Kad(event) => self.dht_event(event),
            BehaviourEvent::Ping(event) => self.ping_event(&event),
            BehaviourEvent::Relay(event) => self.relay_event(&event),
            BehaviourEvent::Circuits(event) => self.limits.stated(&event),
            BehaviourEvent::Mdns(event) => self.mdns_event(event),
            BehaviourEvent::Holes(event) => self.hole_punch_event(&event),
            BehaviourEvent::Probe(event) => self.probed(event.result.is_ok()),
            BehaviourEvent::Upnp(event) => self.router_event(&event),
            event => tracing::trace!(?event, "reach"),
        }
    }

    /// Disconnects a stranger beyond the strangers' share of connections or its network's part of that share, and a
    /// peer whose key is not a node key.
    fn connected(&mut self, peer_id: PeerId, endpoint: &ConnectedPoint) {
        let Some(node) = node_of(peer_id) else {
            return self.disconnect(peer_id);
        };
        let registered = self.admission.is_registered(&node);
        // A second connection of a peer takes no second place among the strangers.
        let known = self.peers.contains_key(&peer_id);
        if !registered && !known && !self.has_stranger_room(endpoint.get_remote_address()) {
            self.metrics.strangers_refused.inc();
            return self.disconnect(peer_id);
        }
        if self.has_restarted(&peer_id, endpoint) {
            tracing::debug!(%node, "dials again: it has restarted and lost our subscriptions; disconnecting");
            return self.disconnect(peer_id);
        }
        self.dialer.connected(&peer_id);
        let class = self.admission.standing(&node).class;
        let address = endpoint.get_remote_address();
        let peer = self.peers.entry(peer_id).or_insert_with(|| Peer {
            node,
            registered,
            inbound: endpoint.is_listener(),
            // Until it has named an address.
            hides_address: endpoint.is_listener(),
            since: Instant::now(),
            address: shown_address(peer_id, endpoint),
            agent: AgentName::default(),
            incarnation: None,
            routes: Vec::new(),
            offers_relay: false,
            roads: Roads::default(),
            rtt_ms: None,
            standing: Standing::new(class),
        });
        // A direct connection has followed the relayed one: its address is that of the peer, the other that
        // of the relay.
        if is_circuit(&peer.address) && !endpoint.is_relayed() {
            peer.address = address.clone();
        }
        self.set_gossip_access(&peer_id, registered, class);
        if !endpoint.is_relayed() {
            self.close_replaced(&peer_id);
        }
        self.road_opened(&peer_id, endpoint);
        self.measure();
    }

    /// Whether a peer that dials from its known address was killed and restarted, while its earlier connection has not
    /// timed out. Gossipsub would take both for one peer and not send our subscriptions again. Once disconnected, the
    /// peer dials again and gets them. An AutoNAT probe dials from another port, and two nodes that dial each other do
    /// so within [`SIMULTANEOUS_DIAL_WINDOW`].
    fn has_restarted(&self, peer: &PeerId, endpoint: &ConnectedPoint) -> bool {
        let ConnectedPoint::Listener { send_back_addr, .. } = endpoint else {
            return false;
        };
        // All that come through relays have no address of their own.
        if endpoint.is_relayed() {
            return false;
        }
        self.peers.get(peer).is_some_and(|before| {
            before.since.elapsed() > SIMULTANEOUS_DIAL_WINDOW
                && first_hop(&before.address) == first_hop(send_back_addr)
        })
    }

    /// Whether one more stranger may connect from `address`.
    fn has_stranger_room(&self, address: &Multiaddr) -> bool {
        let most = self.config.strangers as usize;
        let strangers = || self.peers.values().filter(|peer| !peer.registered);
        let neighbours = || {
            let network = subnet(address);
            strangers().filter(|peer| network.is_some() && subnet(&peer.address) == network).count()
        };
        let exempt = self.config.scope == AddressScope::Local;
        strangers().count() < most && (exempt || neighbours() < (most / STRANGER_NETWORKS).max(1))
    }

    /// A peer whose connection was only idle stays in the routing table.
    fn disconnected(&mut self, peer: &PeerId, idle: bool) {
        if let Some(peer) = self.peers.remove(peer)
            && !peer.inbound
            && peer.incarnation.is_none()
        {
            self.turned_away = self.turned_away.saturating_add(1);
        }
        self.seen.forget(peer);
        self.relay_share.forget(peer);
        // So the blacklist holds connected strangers only, and peers cannot grow it with new keys.
        self.swarm.behaviour_mut().gossip.remove_blacklisted_peer(peer);
        if !idle {
            self.swarm.behaviour_mut().kad.remove_peer(peer);
        }
        self.dialer.lost(peer, Instant::now());
        self.attempt_failed(*peer, &"the connection was closed");
        self.measure();
    }

    /// A peer that does not answer leaves the routing table, so that lookups do not wait for it.
    fn unreachable(&mut self, peer: &PeerId, silent: bool) {
        // A failed dial beside a connection that works, such as one to an outdated address.
        if self.peers.contains_key(peer) {
            return;
        }
        self.attempt_failed(*peer, &"dialling failed");
        if silent {
            self.swarm.behaviour_mut().kad.remove_peer(peer);
        }
        self.dialer.lost(peer, Instant::now());
    }

    pub(super) fn disconnect(&mut self, peer: PeerId) {
        // Fails only when it is disconnected already.
        let _ = self.swarm.disconnect_peer_id(peer);
    }

    fn ping_event(&mut self, event: &ping::Event) {
        if let (Some(peer), Ok(rtt)) = (self.peers.get_mut(&event.peer), &event.result) {
            peer.rtt_ms = Some(rtt.as_secs_f64() * 1000.0);
            self.metrics.round_trip(*rtt);
        }
    }
}

/// The address of a connection as it is shown: a relayed one that others opened begins with the relay's.
fn shown_address(peer: PeerId, endpoint: &ConnectedPoint) -> Multiaddr {
    match endpoint {
        ConnectedPoint::Listener { local_addr, .. } if endpoint.is_relayed() => {
            local_addr.clone().with(Protocol::P2p(peer))
        }
        ConnectedPoint::Listener { .. } | ConnectedPoint::Dialer { .. } => {
            endpoint.get_remote_address().clone()
        }
    }
}
