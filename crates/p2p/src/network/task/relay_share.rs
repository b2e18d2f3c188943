//! What strangers hold of a relay: a share of its reservations and circuits, so that the rest is there for registered nodes.
//!
//! libp2p's relay bounds both in all and for each peer, and a stranger makes as many peers as it likes. It tells us when it
//! has accepted one; a stranger beyond the share is then disconnected, which closes all that it holds.

use std::collections::BTreeMap;

use libp2p::PeerId;

/// What a stranger holds.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Held {
    reservation: bool,
    circuits: u32,
}

/// What strangers hold. Bounded by the strangers that are connected.
#[derive(Debug, Default)]
pub(super) struct RelayShare(BTreeMap<PeerId, Held>);

impl RelayShare {
    /// Counts a reservation; false when strangers then hold more than `most`.
    pub(super) fn reserve(&mut self, peer: PeerId, most: u32) -> bool {
        self.0.entry(peer).or_default().reservation = true;
        self.0.values().filter(|held| held.reservation).count() <= most as usize
    }

    /// Counts a circuit that the peer opened; false when strangers then hold more than `most`.
    pub(super) fn connect(&mut self, peer: PeerId, most: u32) -> bool {
        self.0.entry(peer).or_default().circuits += 1;
        self.0.values().map(|held| held.circuits).sum::<u32>() <= most
    }

    /// A reservation has ended.
    pub(super) fn unreserve(&mut self, peer: &PeerId) {
        if let Some(held) = self.0.get_mut(peer) {
            held.reservation = false;
            self.forget_if_idle(peer);
        }
    }

    /// A circuit has ended.
    pub(super) fn close(&mut self, peer: &PeerId) {
        if let Some(held) = self.0.get_mut(peer) {
            held.circuits = held.circuits.saturating_sub(1);
            self.forget_if_idle(peer);
        }
    }

    /// The peer has disconnected, or is registered by now.
    pub(super) fn forget(&mut self, peer: &PeerId) {
        self.0.remove(peer);
    }

    fn forget_if_idle(&mut self, peer: &PeerId) {
        if self.0.get(peer) == Some(&Held::default()) {
            self.0.remove(peer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_counted_and_given_back() {
        let (mut share, peers) = (RelayShare::default(), [(); 4].map(|()| PeerId::random()));
        assert!(share.reserve(peers[0], 2) && share.reserve(peers[1], 2) && share.reserve(peers[1], 2));
        assert!(!share.reserve(peers[2], 2));
        share.forget(&peers[2]);
        share.unreserve(&peers[0]);
        assert!(share.reserve(peers[3], 2));
        assert!(share.connect(peers[0], 2) && share.connect(peers[0], 2) && !share.connect(peers[3], 2));
        for peer in peers {
            share.unreserve(&peer);
            share.close(&peer);
            share.close(&peer);
        }
        assert!(share.0.is_empty());
    }
}
