//! What a peer says of itself, and what is believed.

use std::{
    collections::VecDeque,
    time::{Duration, SystemTime},
};

use libp2p::{Multiaddr, PeerId, identify, multiaddr::Protocol};
use nervure_primitives::UnixMillis;
use nervure_protocol::names;
use tokio::time::Instant;

use super::Task;
use crate::{
    Scope,
    diversity::{self, ADDRESSES_PER_NODE},
    is_global,
};

/// Restarts of one peer that are believed in a short time, and how short that is.
const RESTARTS: usize = 3;
const SHORT: Duration = Duration::from_secs(5);

/// Restarts that are remembered, of all peers.
const REMEMBERED: usize = 64;

/// The latest restarts.
#[derive(Default)]
pub(super) struct Restarts(VecDeque<(PeerId, Instant)>);

impl Restarts {
    /// Whether another restart of `peer` may be believed; notes it then.
    fn is_rare(&mut self, peer: PeerId, now: Instant) -> bool {
        self.0.retain(|(_, at)| now.saturating_duration_since(*at) < SHORT);
        let rare = self.0.iter().filter(|(one, _)| *one == peer).count() < RESTARTS;
        if rare {
            self.0.truncate(REMEMBERED - 1);
            self.0.push_front((peer, now));
        }
        rare
    }
}

/// Longest agent name that is kept, in characters.
const AGENT_LEN: usize = 64;

impl Task {
    pub(super) fn identified(&mut self, event: identify::Event) {
        let identify::Event::Received { peer_id, info, .. } = event else { return };
        if info.protocol_version != names::mesh_version(&self.config.mesh) {
            self.status.wrong_mesh += 1;
            tracing::debug!(peer = %peer_id, "a peer of another mesh");
            return self.disconnect(peer_id);
        }
        let (agent, life) = names::agent_and_incarnation(&info.agent_version);
        if self.has_another_life(&peer_id, life) && self.restarts.is_rare(peer_id, Instant::now()) {
            tracing::debug!(peer = %peer_id, "it has restarted, and forgotten what it was told");
            return self.disconnect(peer_id);
        }
        self.dialer.met(&peer_id);
        let allowed = info.listen_addrs.into_iter().filter(|address| self.may_dial(address));
        let allowed: Vec<_> = allowed.take(ADDRESSES_PER_NODE).collect();
        let dht = names::dht(&self.config.mesh);
        let serves = info.protocols.iter().any(|protocol| protocol.as_ref() == dht);
        let Some(peer) = self.peers.get_mut(&peer_id) else { return };
        peer.agent = agent.chars().filter(|c| !c.is_control()).take(AGENT_LEN).collect();
        peer.life = Some(life.chars().take(AGENT_LEN).collect());
        peer.routes = if serves { allowed.clone() } else { Vec::new() };
        if peer.registered {
            self.book.remember(peer_id, &allowed, UnixMillis::from(SystemTime::now()));
            self.route(peer_id);
        }
    }

    /// Whether a peer is another process than the one that is connected already, while the connection of that one has
    /// not timed out. To gossip both are the same peer, and the new one would never hear which topics are followed
    /// here; disconnected, it dials once more and is told. Two processes with one key would disconnect each
    /// other for ever: only a few restarts in a short time are believed.
    fn has_another_life(&self, peer: &PeerId, life: &str) -> bool {
        let known = self.peers.get(peer).and_then(|peer| peer.life.as_deref());
        known.is_some_and(|known| !known.chars().eq(life.chars().take(AGENT_LEN)))
    }

    /// Gives a registered peer its place in the routing table, if it answers lookups.
    pub(super) fn route(&mut self, peer: PeerId) {
        let Some(routes) = self.peers.get(&peer).map(|peer| peer.routes.clone()) else { return };
        let dht = &mut self.swarm.behaviour_mut().kad;
        let first = dht.kbuckets().next().is_none();
        self.status.routes_refused += diversity::admit(dht, peer, &routes, self.config.scope);
        if first && !routes.is_empty() {
            // Fails only without any peer, and then there is nothing to ask.
            let _ = self.swarm.behaviour_mut().kad.bootstrap();
        }
    }

    /// Whether an address that somebody named may be dialled. The transport asks again.
    pub(super) fn may_dial(&self, address: &Multiaddr) -> bool {
        let relays = address.iter().filter(|part| *part == Protocol::P2pCircuit).count();
        relays <= 1 && (self.config.scope == Scope::Local || is_global(address))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_that_restarts_all_the_time_is_not_believed_and_memory_is_bounded() {
        let (mut restarts, now, peer) = (Restarts::default(), Instant::now(), PeerId::random());
        assert_eq!([(); 5].map(|()| restarts.is_rare(peer, now)), [true, true, true, false, false]);
        assert!(restarts.is_rare(PeerId::random(), now));
        assert!(restarts.is_rare(peer, now + SHORT));
        (0..1_000).for_each(|_| assert!(restarts.is_rare(PeerId::random(), now + SHORT)));
        assert_eq!(restarts.0.len(), REMEMBERED);
    }
}
