//! What a peer reports about itself by identify, and how much of it is used.

use std::{
    collections::VecDeque,
    time::{Duration, SystemTime},
};

use libp2p::{Multiaddr, PeerId, identify, multiaddr::Protocol, relay};
use nervure_primitives::UnixMillis;
use nervure_protocol::names::{self, AgentName};
use tokio::time::Instant;

use super::Task;
use crate::{
    AddressScope,
    diversity::{self, MAX_ADDRESSES_PER_NODE},
    is_global,
};

/// Restarts of one peer that are accepted within [`RESTART_WINDOW`].
const MAX_RESTARTS_PER_PEER: usize = 3;

/// The time over which restarts are counted.
const RESTART_WINDOW: Duration = Duration::from_secs(5);

/// Restarts that are kept, of all peers; the oldest is evicted.
const MAX_REMEMBERED_RESTARTS: usize = 64;

/// The latest restarts.
#[derive(Default)]
pub(super) struct Restarts(VecDeque<(PeerId, Instant)>);

impl Restarts {
    /// Whether another restart of `peer` is accepted; counts it if so.
    fn allow(&mut self, peer: PeerId, now: Instant) -> bool {
        self.0.retain(|(_, at)| now.saturating_duration_since(*at) < RESTART_WINDOW);
        let allowed = self.0.iter().filter(|(one, _)| *one == peer).count() < MAX_RESTARTS_PER_PEER;
        if allowed {
            self.0.truncate(MAX_REMEMBERED_RESTARTS - 1);
            self.0.push_front((peer, now));
        }
        allowed
    }
}

impl Task {
    pub(super) fn identified(&mut self, event: identify::Event) {
        let identify::Event::Received { peer_id, info, .. } = event else { return };
        if info.protocol_version != names::mesh_version(&self.config.mesh) {
            self.metrics.wrong_mesh.inc();
            tracing::debug!(peer = %peer_id, "the peer is of another mesh; disconnecting");
            return self.disconnect(peer_id);
        }
        let (agent, incarnation) = names::agent_and_incarnation(&info.agent_version);
        if self.has_new_incarnation(&peer_id, &incarnation) && self.restarts.allow(peer_id, Instant::now()) {
            tracing::debug!(peer = %peer_id, "the peer has restarted and lost our subscriptions; disconnecting");
            return self.disconnect(peer_id);
        }
        // Only here: the peer has shown that it is of this mesh, which a connection alone does not show.
        self.dialer.met(&peer_id);
        self.seen_as(peer_id, info.observed_addr);
        let names_address = !info.listen_addrs.is_empty();
        let allowed = info.listen_addrs.into_iter().filter(|address| self.may_dial(address));
        let allowed: Vec<_> = allowed.take(MAX_ADDRESSES_PER_NODE).collect();
        let dht = names::dht(&self.config.mesh);
        let serves = info.protocols.iter().any(|protocol| protocol.as_ref() == dht);
        let Some(peer) = self.peers.get_mut(&peer_id) else { return };
        peer.hides_address = peer.inbound && !names_address;
        peer.agent = agent;
        peer.offers_relay = info.protocols.contains(&relay::HOP_PROTOCOL_NAME);
        peer.incarnation = Some(incarnation);
        // A client of the DHT does not answer lookups: in the table it would only cost each of them a
        // timeout.
        peer.routes = if serves { allowed.clone() } else { Vec::new() };
        if peer.registered {
            self.book.remember(peer_id, &allowed, UnixMillis::from(SystemTime::now()));
            self.route(peer_id);
        }
        self.dial_back(peer_id, &allowed);
    }

    /// Whether a peer is a new incarnation of one whose earlier connection has not timed out. Gossipsub takes both for
    /// one peer and does not send our subscriptions again; once disconnected, the peer dials again and gets them. Two
    /// processes with one key would disconnect each other for ever, so only [`MAX_RESTARTS_PER_PEER`] restarts are
    /// accepted.
    fn has_new_incarnation(&self, peer: &PeerId, incarnation: &AgentName) -> bool {
        let known = self.peers.get(peer).and_then(|peer| peer.incarnation.as_ref());
        known.is_some_and(|known| known != incarnation)
    }

    /// Gives a registered peer its place in the routing table, if it answers lookups.
    pub(super) fn route(&mut self, peer: PeerId) {
        let Some(routes) = self.peers.get(&peer).map(|peer| peer.routes.clone()) else { return };
        let dht = &mut self.swarm.behaviour_mut().kad;
        // Asked before the peer is added: only the first peer of an empty table starts the bootstrap.
        let first = dht.kbuckets().next().is_none();
        let refused = diversity::admit(dht, peer, &routes, self.config.scope);
        self.metrics.routes_refused.inc_by(refused);
        if first && !routes.is_empty() {
            // Fails only without any peer in the table, and then there is no node to ask.
            let _ = self.swarm.behaviour_mut().kad.bootstrap();
        }
    }

    /// Whether an address that another node named may be dialled. The transport checks the first hop again.
    pub(super) fn may_dial(&self, address: &Multiaddr) -> bool {
        let relays = address.iter().filter(|part| *part == Protocol::P2pCircuit).count();
        relays <= 1 && (self.config.scope == AddressScope::Local || is_global(address))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn restarts_of_a_peer_are_limited_and_memory_is_bounded() {
        let (mut restarts, now, peer) = (Restarts::default(), Instant::now(), PeerId::random());
        assert_eq!([(); 5].map(|()| restarts.allow(peer, now)), [true, true, true, false, false]);
        assert!(restarts.allow(PeerId::random(), now));
        assert!(restarts.allow(peer, now + RESTART_WINDOW));
        (0..1_000).for_each(|_| assert!(restarts.allow(PeerId::random(), now + RESTART_WINDOW)));
        assert_eq!(restarts.0.len(), MAX_REMEMBERED_RESTARTS);
    }
}
