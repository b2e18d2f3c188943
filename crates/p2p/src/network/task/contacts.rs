//! The contacts of a sealed node: they and the bootstrap nodes are the only nodes that it is connected to. Those that are
//! missing are looked up and dialled.

use std::collections::BTreeSet;

use libp2p::{Multiaddr, PeerId};
use rand::seq::SliceRandom;

use super::{Lookup, Task};

/// Contacts that are used; those beyond are left out. Each is a connection.
const MAX_CONTACTS: usize = 64;

/// Missing contacts that are looked up at a time.
const MAX_CONTACT_LOOKUPS: usize = 4;

/// Ticks between two looks at the contacts, in the first ticks of a node and later.
const FIRST_CONTACT_TICKS: u64 = 2;
const CONTACT_TICKS: u64 = 10;

/// Ticks that count as the first ones.
const FIRST_TICKS: u64 = 30;

/// Whether contacts are looked at in this tick.
const fn is_due(tick: u64) -> bool {
    tick.is_multiple_of(if tick < FIRST_TICKS { FIRST_CONTACT_TICKS } else { CONTACT_TICKS })
}

impl Task {
    /// Applies the contacts of now, if this node is sealed and they are due in this tick: disconnects nodes that are none
    /// any more, and looks up some of those that are missing.
    pub(super) fn tend_contacts(&mut self, tick: u64) {
        let Some(contacts) = self.config.contacts.clone().filter(|_| is_due(tick)) else { return };
        let own = *self.swarm.local_peer_id();
        let wanted = contacts.current().into_iter().map(|node| node.peer_id());
        let wanted: BTreeSet<PeerId> = wanted.filter(|peer| *peer != own).take(MAX_CONTACTS).collect();
        self.allow(&wanted);
        let mut missing: Vec<_> =
            wanted.into_iter().filter(|peer| !self.peers.contains_key(peer) && !self.seeks(peer)).collect();
        missing.shuffle(&mut rand::rng());
        for peer in missing.into_iter().take(MAX_CONTACT_LOOKUPS) {
            if self.may_look_up() {
                let lookup = self.swarm.behaviour_mut().kad.get_closest_peers(peer);
                self.lookups.insert(lookup, Lookup::Contact(peer));
            }
        }
    }

    /// Allows connections to `wanted` and to the bootstrap nodes, and to no others.
    fn allow(&mut self, wanted: &BTreeSet<PeerId>) {
        let allowed: BTreeSet<PeerId> = wanted.iter().copied().chain(self.dialer.targets()).collect();
        let Some(list) = self.swarm.behaviour_mut().contacts.as_mut() else { return };
        let gone: Vec<_> =
            list.allowed_peers().iter().filter(|peer| !allowed.contains(*peer)).copied().collect();
        for peer in gone {
            list.disallow_peer(peer);
        }
        for peer in allowed {
            list.allow_peer(peer);
        }
    }

    /// Whether a lookup for this contact is in progress.
    fn seeks(&self, contact: &PeerId) -> bool {
        self.lookups.values().any(|lookup| matches!(lookup, Lookup::Contact(peer) if peer == contact))
    }

    /// Dials a contact where the lookup for it has found it, or where it was met before.
    pub(super) fn dial_contact(&mut self, contact: PeerId, mut found: Vec<Multiaddr>) {
        found.extend(self.book.addresses(&contact));
        self.dial_if_registered(contact, &found);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contacts_are_looked_at_from_the_start_and_less_often_later() {
        let due: Vec<_> = (0..61).filter(|tick| is_due(*tick)).collect();
        assert_eq!(due[..3], [0, 2, 4]);
        assert_eq!(due[due.len() - 4..], [30, 40, 50, 60]);
    }
}
