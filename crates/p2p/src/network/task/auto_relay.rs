//! Places at relays, for a node that others, or those without IPv6, cannot dial: it takes them among the registered nodes that it is connected to and
//! that offer to relay, and other ones when these are lost. libp2p renews them.
//!
//! What a hostile relay can do: refuse, close what it relays, and see who talks to whom and how much. It reads nothing, and there
//! are two other relays. It can name false addresses for itself: those who dial them lose a dial.

use libp2p::{Multiaddr, PeerId, kad, multiaddr::Protocol};
use rand::seq::SliceRandom;
use tokio::time::Instant;

use super::{Peer, Task};
use crate::{AddressScope, DhtMode, address::is_circuit, is_global, transport::first_hop};

/// Relays at which a node holds a place: one may be lost and one may be hostile.
const WANTED_RELAYS: usize = 3;

/// Relays through which a node is tried whose address is not known.
const MAX_TRIED_RELAYS: usize = 4;

/// Addresses of one relay that are tried.
const MAX_ADDRESSES_OF_RELAY: usize = 4;

impl Task {
    /// Takes places at relays until there are enough.
    pub(super) fn choose_relays(&mut self, now: Instant) {
        if !self.config.reach.auto_relay {
            return;
        }
        self.answer_lookups(self.is_open());
        let missing = WANTED_RELAYS.saturating_sub(self.circuits.count());
        if missing == 0 || (self.is_open() && self.is_open_to_ipv4()) {
            return;
        }
        let offers = self.relays(|task, id, peer| {
            peer.offers_relay && peer.registered && task.circuits.may_choose(id, now)
        });
        for (relay, address) in offers.into_iter().take(missing) {
            tracing::info!(%relay, "others cannot dial this node over IPv4: it asks a relay for a place");
            self.circuits.choose(address);
        }
    }

    /// Whether others can dial this node, as far as it knows: where the operator says so, or it has an address of its own that is
    /// global. What a NAT lets through from nodes that this one has talked to, AutoNAT takes for reachable: so that an address
    /// that is not this machine's own does not suffice.
    fn is_open(&self) -> bool {
        self.is_said_to_be_open()
            || (self.reachable != Some(false)
                && self.swarm.listeners().any(|address| self.is_own_open(address)))
    }

    /// Whether nodes without IPv6 can. Most homes have a NAT for IPv4 and none for IPv6: such a node answers lookups, and takes
    /// places at relays for those that cannot dial it.
    fn is_open_to_ipv4(&self) -> bool {
        let is_v4 = |address: &Multiaddr| matches!(address.iter().next(), Some(Protocol::Ip4(_)));
        self.is_said_to_be_open()
            || self.swarm.listeners().any(|address| is_v4(address) && self.is_own_open(address))
    }

    fn is_said_to_be_open(&self) -> bool {
        self.config.reach.relay_server || !self.config.external.is_empty()
    }

    fn is_own_open(&self, address: &Multiaddr) -> bool {
        !is_circuit(address) && (self.config.scope == AddressScope::Local || is_global(address))
    }

    /// A node that is reached through relays only does not answer lookups: it would be in the routing tables of others, whose
    /// lookups would take the circuits that are for questions.
    fn answer_lookups(&mut self, may: bool) {
        let mode = if may { self.config.mode } else { DhtMode::Client };
        let mode = match mode {
            DhtMode::Server => kad::Mode::Server,
            DhtMode::Client => kad::Mode::Client,
        };
        let dht = &mut self.swarm.behaviour_mut().kad;
        // Setting it tells all connections.
        if dht.mode() != mode {
            dht.set_mode(Some(mode));
        }
    }

    /// Addresses at which `peer` is reached through relays: those that it names, at the addresses that are known of them, or
    /// else those that this node is connected to.
    pub(super) fn circuits_to(&self, peer: PeerId, named: &[PeerId]) -> Vec<Multiaddr> {
        // A named one relays for the peer, whether it has told this node yet or not: it may have connected a moment ago.
        let wanted = |_: &Self, id: &PeerId, relay: &Peer| {
            *id != peer && if named.is_empty() { relay.offers_relay } else { named.contains(id) }
        };
        let mut relays = self.relays(wanted);
        relays.truncate(MAX_TRIED_RELAYS);
        let known = |relay: &PeerId| (*relay, self.book.addresses(relay));
        let missing = named.iter().filter(|relay| !self.peers.contains_key(relay)).map(known);
        let found = missing.flat_map(|(relay, addresses)| self.circuits_at(relay, &addresses));
        let at_hand = relays.into_iter().map(|(_, address)| address);
        at_hand.chain(found).map(|address| address.with(Protocol::P2p(peer))).collect()
    }

    /// The circuits through `relay` at `addresses`, as far as they may be dialled; each ends in `/p2p-circuit`.
    pub(super) fn circuits_at(&self, relay: PeerId, addresses: &[Multiaddr]) -> Vec<Multiaddr> {
        let direct = addresses.iter().filter(|address| !is_circuit(address) && self.may_dial(address));
        let direct = direct.take(MAX_ADDRESSES_OF_RELAY);
        direct.map(|address| circuit(address, relay)).collect()
    }

    /// The connected nodes that are wanted as relays, in random order, each with an address that ends in `/p2p-circuit`.
    fn relays(&self, wanted: impl Fn(&Self, &PeerId, &Peer) -> bool) -> Vec<(PeerId, Multiaddr)> {
        let offers = self.peers.iter().filter(|(id, peer)| peer.roads.is_direct() && wanted(self, id, peer));
        let mut offers: Vec<_> = offers.map(|(id, peer)| (*id, circuit(&peer.address, *id))).collect();
        offers.shuffle(&mut rand::rng());
        offers
    }
}

/// Through `relay` at `address`.
fn circuit(address: &Multiaddr, relay: PeerId) -> Multiaddr {
    first_hop(address).with(Protocol::P2p(relay)).with(Protocol::P2pCircuit)
}
