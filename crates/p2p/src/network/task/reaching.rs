//! Reaching a node for a question: over the connection that exists, or a new one.
//!
//! A node is dialled at its known addresses and through the relays that its record names, as far as their addresses are known; if
//! that fails, at what the DHT finds for it and for them. Without named relays, those at hand are tried. A connection
//! through a relay waits a little for a direct one: DCUtR punches a hole, and the side that was dialled dials the public
//! addresses that the other reports, once. A question goes over the relay only when that has failed or takes too long.
//!
//! What a hostile node can do: report addresses that are not its own, so that this node dials up to [`MAX_DIALLED_BACK`] of
//! them once for each connection; the dial filter judges them. What it costs this node is one dial.

use std::{collections::BTreeMap, time::Duration};

use libp2p::{
    Multiaddr, PeerId,
    core::ConnectedPoint,
    kad,
    multiaddr::Protocol,
    swarm::{
        DialError,
        dial_opts::{DialOpts, PeerCondition},
    },
};
use nervure_protocol::query::ErrorText;
use tokio::time::Instant;

use super::{Lookup, Task};
use crate::{
    address::is_circuit,
    circuit_limits::CircuitLimits,
    network::{
        command::{Destination, Way, WayReply},
        streams::StreamError,
    },
    roads::Road,
};

/// Nodes that are being reached at once; for more, questions are refused as unreachable.
const MAX_ATTEMPTS: usize = 256;

/// Questions that wait for one of them; more are refused as unreachable.
const MAX_WAITING: usize = 256;

/// How long a new relayed connection waits for a direct one before questions use it. Hole punching takes two round trips
/// through the relay and one of its own.
const PUNCH_TIMEOUT: Duration = Duration::from_secs(2);

/// Addresses of a node behind a relay that are dialled back.
const MAX_DIALLED_BACK: usize = 4;

/// The connections to a peer.
#[derive(Debug, Default)]
pub(super) struct Roads {
    direct: u32,
    relayed: u32,
    /// The limits of the first of the relayed ones.
    limits: CircuitLimits,
    /// Until when a direct connection may follow the relayed ones; none when it is not awaited.
    punching: Option<Instant>,
    /// Whether the addresses that it reports were dialled.
    dialled_back: bool,
}

impl Roads {
    pub(super) fn is_direct(&self) -> bool {
        self.direct > 0
    }

    /// The way that a question takes; none while a direct one may come.
    fn best(&self, now: Instant) -> Option<Way> {
        if self.is_direct() {
            return Some(Way { road: Road::Direct, limits: CircuitLimits::default() });
        }
        let way = Way { road: Road::Relayed, limits: self.limits };
        self.punching.is_none_or(|until| until <= now).then_some(way)
    }

    /// A relayed connection was established.
    fn add_relayed(&mut self, limits: CircuitLimits, punching: Option<Instant>) {
        if self.relayed == 0 {
            self.limits = limits;
        }
        self.relayed += 1;
        self.punching = self.punching.or(punching);
    }

    /// A direct connection was established. Returns whether it replaces relayed ones.
    fn add_direct(&mut self) -> bool {
        self.direct += 1;
        self.direct == 1 && self.relayed > 0
    }

    /// A connection was closed.
    fn remove(&mut self, relayed: bool) {
        let count = if relayed { &mut self.relayed } else { &mut self.direct };
        *count = count.saturating_sub(1);
    }
}

/// Attempts to reach nodes.
#[derive(Default)]
pub(super) struct Attempts(BTreeMap<PeerId, Attempt>);

/// An attempt to reach a node, and who waits for it.
struct Attempt {
    replies: Vec<WayReply>,
    /// The relays that the node names.
    relays: Vec<PeerId>,
    /// Lookups in progress.
    lookups: usize,
    /// Whether lookups were started.
    looked_up: bool,
    /// Whether the node is being dialled.
    dialling: bool,
}

impl Task {
    /// Answers with the road to a node once it is known.
    pub(super) fn reach(&mut self, to: Destination, reply: WayReply) {
        let Destination { peer, relays, addresses: named } = to;
        let known = self.peers.get(&peer);
        if let Some(way) = known.and_then(|known| known.roads.best(Instant::now())) {
            return answer(reply, Ok(way));
        }
        let connected = known.is_some();
        if let Some(attempt) = self.attempts.0.get_mut(&peer) {
            match attempt.replies.len() < MAX_WAITING {
                true => return attempt.replies.push(reply),
                false => return answer(reply, unreachable("too many questions wait for it")),
            }
        }
        if self.attempts.0.len() >= MAX_ATTEMPTS {
            return answer(reply, unreachable("too many nodes are being dialled"));
        }
        let mut addresses = self.book.addresses(&peer);
        addresses.extend(named);
        addresses.retain(|address| self.may_dial(address));
        addresses.extend(self.circuits_to(peer, &relays));
        let replies = vec![reply];
        let attempt = Attempt { replies, relays, lookups: 0, looked_up: false, dialling: false };
        self.attempts.0.insert(peer, attempt);
        if !connected {
            self.dial_for_question(peer, addresses);
        }
    }

    fn dial_for_question(&mut self, peer: PeerId, addresses: Vec<Multiaddr>) {
        let options = DialOpts::peer_id(peer).addresses(addresses).extend_addresses_through_behaviour();
        match self.swarm.dial(options.build()) {
            // It is being dialled already: how that ends counts for this too.
            Ok(()) | Err(DialError::DialPeerConditionFalse(_)) => {
                if let Some(attempt) = self.attempts.0.get_mut(&peer) {
                    attempt.dialling = true;
                }
            }
            Err(error) => self.attempt_failed(peer, &error),
        }
    }

    /// A dial has failed, or the last connection was closed.
    pub(super) fn attempt_failed(&mut self, peer: PeerId, reason: &dyn std::fmt::Display) {
        let Some(attempt) = self.attempts.0.get_mut(&peer) else { return };
        attempt.dialling = false;
        if attempt.looked_up {
            return self.give_up_unless_looking(peer, reason);
        }
        attempt.looked_up = true;
        let mut keys = attempt.relays.clone();
        // Without relays, the node itself may have a new address. With them, others cannot dial it anyway.
        if keys.is_empty() {
            keys.push(peer);
        }
        keys.retain(|key| !self.peers.contains_key(key));
        for key in keys {
            if self.may_look_up() {
                let lookup = self.swarm.behaviour_mut().kad.get_closest_peers(key);
                self.lookups.insert(lookup, Lookup::Road(peer));
                if let Some(attempt) = self.attempts.0.get_mut(&peer) {
                    attempt.lookups += 1;
                }
            }
        }
        self.give_up_unless_looking(peer, reason);
    }

    fn give_up_unless_looking(&mut self, peer: PeerId, reason: &dyn std::fmt::Display) {
        if self.attempts.0.get(&peer).is_some_and(|attempt| attempt.lookups == 0 && !attempt.dialling) {
            self.settle(peer, &unreachable(reason));
        }
    }

    /// One of the lookups for `peer` has ended.
    pub(super) fn found_for_question(&mut self, peer: PeerId, found: &[kad::PeerInfo]) {
        let Some(attempt) = self.attempts.0.get_mut(&peer) else { return };
        attempt.lookups = attempt.lookups.saturating_sub(1);
        if attempt.dialling || self.peers.contains_key(&peer) {
            return;
        }
        let relays = attempt.relays.clone();
        let mut addresses = Vec::new();
        for node in found {
            if node.peer_id == peer {
                addresses.extend(node.addrs.iter().filter(|address| self.may_dial(address)).cloned());
            } else if relays.contains(&node.peer_id) {
                let circuits = self.circuits_at(node.peer_id, &node.addrs).into_iter();
                addresses.extend(circuits.map(|address| address.with(Protocol::P2p(peer))));
            }
        }
        match addresses.is_empty() {
            true => self.give_up_unless_looking(peer, &"no address of it is known"),
            false => self.dial_for_question(peer, addresses),
        }
    }

    /// A connection to `peer` was established.
    pub(super) fn road_opened(&mut self, peer: &PeerId, endpoint: &ConnectedPoint) {
        let punching = self.config.reach.hole_punching.then(|| Instant::now() + PUNCH_TIMEOUT);
        let Some(known) = self.peers.get_mut(peer) else { return };
        if endpoint.is_relayed() {
            known.roads.add_relayed(self.limits.of(peer, endpoint), punching);
        } else if known.roads.add_direct() {
            self.metrics.holes_punched.inc();
        }
        self.settle_known(*peer, Instant::now());
    }

    /// One of several connections to `peer` was closed.
    pub(super) fn road_closed(&mut self, peer: &PeerId, endpoint: &ConnectedPoint) {
        if let Some(known) = self.peers.get_mut(peer) {
            known.roads.remove(endpoint.is_relayed());
        }
    }

    /// No hole could be punched to `peer`.
    pub(super) fn punch_failed(&mut self, peer: PeerId) {
        if let Some(known) = self.peers.get_mut(&peer) {
            known.roads.punching = None;
            self.settle_known(peer, Instant::now());
        }
    }

    /// Dials the public addresses that a node behind a relay reports: one that is not behind a NAT cannot dial this node, but
    /// this node can dial it.
    pub(super) fn dial_back(&mut self, peer: PeerId, reported: &[Multiaddr]) {
        let Some(known) = self.peers.get_mut(&peer) else { return };
        let done = known.roads.is_direct() || known.roads.dialled_back;
        // Only the side that was dialled through the relay: the other one has tried the addresses that it knows.
        if !self.config.reach.hole_punching || !known.inbound || done {
            return;
        }
        let direct = reported.iter().filter(|address| !is_circuit(address)).take(MAX_DIALLED_BACK);
        let addresses: Vec<_> = direct.cloned().collect();
        if !addresses.is_empty() {
            known.roads.dialled_back = true;
            let options = DialOpts::peer_id(peer).addresses(addresses).condition(PeerCondition::Always);
            // Fails only where all of them are refused, and then the relayed connection is what there is.
            let _ = self.swarm.dial(options.build());
        }
    }

    /// When the next wait for a direct connection ends.
    pub(super) fn next_road_due(&self) -> Option<Instant> {
        let waiting = self.attempts.0.keys().filter_map(|peer| self.peers.get(peer)?.roads.punching);
        waiting.min()
    }

    /// Answers those whose wait for a direct connection has ended, and forgets attempts that no question waits for.
    pub(super) fn settle_due(&mut self, now: Instant) {
        self.attempts.0.retain(|_, attempt| {
            attempt.replies.retain(|reply| !reply.is_closed());
            !attempt.replies.is_empty()
        });
        let peers: Vec<_> = self.attempts.0.keys().copied().collect();
        peers.into_iter().for_each(|peer| self.settle_known(peer, now));
    }

    fn settle_known(&mut self, peer: PeerId, now: Instant) {
        if let Some(way) = self.peers.get(&peer).and_then(|known| known.roads.best(now)) {
            self.settle(peer, &Ok(way));
        }
    }

    fn settle(&mut self, peer: PeerId, result: &Result<Way, StreamError>) {
        if let Some(attempt) = self.attempts.0.remove(&peer) {
            attempt.replies.into_iter().for_each(|reply| answer(reply, result.clone()));
        }
    }
}

fn unreachable(reason: impl std::fmt::Display) -> Result<Way, StreamError> {
    Err(StreamError::Unreachable(ErrorText::new(reason)))
}

/// Sending the reply fails only when its caller has stopped waiting.
fn answer(reply: WayReply, result: Result<Way, StreamError>) {
    drop(reply.send(result));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn road(roads: &Roads, now: Instant) -> Option<Road> {
        roads.best(now).map(|way| way.road)
    }

    #[test]
    fn a_relayed_road_waits_for_a_direct_one_and_is_used_when_none_comes() {
        let (mut roads, now) = (Roads::default(), Instant::now());
        let (until, limits) = (now + PUNCH_TIMEOUT, CircuitLimits { bytes: Some(7), time: None });
        roads.add_relayed(limits, Some(until));
        assert_eq!((road(&roads, now), road(&roads, until)), (None, Some(Road::Relayed)));
        assert_eq!(roads.best(until).map(|way| way.limits), Some(limits));
        roads.add_relayed(CircuitLimits::default(), Some(until + PUNCH_TIMEOUT));
        assert_eq!(road(&roads, until), Some(Road::Relayed), "a second one does not prolong the wait");
        assert!(roads.add_direct() && !roads.add_direct(), "it is replaced once");
        assert_eq!(road(&roads, now), Some(Road::Direct));
        assert_eq!(roads.best(now).map(|way| way.limits), Some(CircuitLimits::default()));
        roads.remove(false);
        roads.remove(false);
        assert_eq!(road(&roads, until), Some(Road::Relayed), "the direct one was lost");
    }

    #[test]
    fn without_hole_punching_there_is_no_wait() {
        let mut roads = Roads::default();
        roads.add_relayed(CircuitLimits::default(), None);
        assert_eq!(road(&roads, Instant::now()), Some(Road::Relayed));
    }
}
