//! Keeps the bootstrap nodes connected: dials them at the start, and again after each loss, with backoff.

use std::collections::BTreeMap;

use libp2p::{Multiaddr, PeerId, multiaddr::Protocol};
use tokio::time::Instant;

use crate::backoff::Backoff;

/// The bootstrap nodes. Bounded by the configuration.
#[derive(Default)]
pub(super) struct Dialer(BTreeMap<PeerId, Target>);

struct Target {
    address: Multiaddr,
    backoff: Backoff,
    /// When to dial; none while connected or dialling.
    due: Option<Instant>,
}

impl Dialer {
    /// All of `addresses` but `own`, due at once. An address without `/p2p/ID` is an error.
    pub(super) fn new(addresses: &[Multiaddr], own: PeerId) -> Result<Self, String> {
        let mut targets = BTreeMap::new();
        for address in addresses {
            let Some(Protocol::P2p(peer)) = address.iter().last() else {
                return Err(format!("bootstrap address {address} does not end in /p2p/ID"));
            };
            if peer != own {
                let target = Target {
                    address: address.clone(),
                    backoff: Backoff::default(),
                    due: Some(Instant::now()),
                };
                targets.insert(peer, target);
            }
        }
        Ok(Self(targets))
    }

    /// When the next dial is due.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.0.values().filter_map(|target| target.due).min()
    }

    /// The nodes that are due. They count as being dialled from now on.
    pub(super) fn take_due(&mut self, now: Instant) -> Vec<(PeerId, Multiaddr)> {
        let due = self.0.iter_mut().filter(|(_, target)| target.due.is_some_and(|due| due <= now));
        due.map(|(peer, target)| {
            target.due = None;
            (*peer, target.address.clone())
        })
        .collect()
    }

    /// A connection to `peer` was established.
    pub(super) fn connected(&mut self, peer: &PeerId) {
        if let Some(target) = self.0.get_mut(peer) {
            target.due = None;
        }
    }

    /// `peer` was identified as a node of our mesh. Only this resets its failures: a node that refuses us, or that we
    /// refuse, still connects successfully each time.
    pub(super) fn met(&mut self, peer: &PeerId) {
        if let Some(target) = self.0.get_mut(peer) {
            target.backoff.succeed();
        }
    }

    /// Dialling `peer` failed, or the last connection to it was closed.
    pub(super) fn lost(&mut self, peer: &PeerId, now: Instant) {
        if let Some(target) = self.0.get_mut(peer) {
            target.due = Some(now + target.backoff.fail(&mut rand::rng()));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn address(peer: PeerId) -> Multiaddr {
        format!("/ip4/127.0.0.1/udp/1/quic-v1/p2p/{peer}").parse().unwrap()
    }

    #[test]
    fn dials_each_other_node_once_and_again_after_a_loss() {
        let (own, other) = (PeerId::random(), PeerId::random());
        let mut dialer = Dialer::new(&[address(own), address(other)], own).unwrap();
        let now = Instant::now();
        assert_eq!(dialer.take_due(now), vec![(other, address(other))]);
        assert!(dialer.take_due(now).is_empty() && dialer.next_due().is_none());
        dialer.connected(&other);
        dialer.lost(&other, now);
        assert!(dialer.next_due().unwrap() > now);
        assert_eq!(dialer.take_due(now + Duration::from_secs(1)).len(), 1);
    }

    #[test]
    fn backs_off_from_a_node_that_connects_but_is_not_identified() {
        let other = PeerId::random();
        let mut dialer = Dialer::new(&[address(other)], PeerId::random()).unwrap();
        let now = Instant::now();
        for _ in 0..8 {
            dialer.connected(&other);
            dialer.lost(&other, now);
        }
        assert!(dialer.next_due().unwrap() > now + Duration::from_secs(5));
        dialer.met(&other);
        dialer.lost(&other, now);
        assert!(dialer.next_due().unwrap() <= now + Duration::from_millis(100));
    }

    #[test]
    fn an_address_without_an_identity_is_refused() {
        let bare = "/ip4/127.0.0.1/udp/1/quic-v1".parse().unwrap();
        assert!(Dialer::new(&[bare], PeerId::random()).is_err());
    }
}
