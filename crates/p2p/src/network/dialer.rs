//! Keeps the bootstrap nodes connected: dials them at the start, and again after each loss, with backoff. All addresses of a
//! node are tried at once. A node that only follows keeps a few of them, so that a mesh has room for many followers.

use std::collections::{BTreeMap, BTreeSet};

use libp2p::{Multiaddr, PeerId, multiaddr::Protocol};
use rand::seq::SliceRandom;
use tokio::time::Instant;

use crate::backoff::Backoff;

/// The bootstrap nodes. Bounded by the configuration.
pub(super) struct Dialer {
    targets: BTreeMap<PeerId, Target>,
    /// How many of them are kept connected.
    most: usize,
    /// Those that are connected or being dialled.
    held: BTreeSet<PeerId>,
}

/// Addresses of one bootstrap node that are tried.
const MAX_ADDRESSES: usize = 8;

struct Target {
    addresses: Vec<Multiaddr>,
    backoff: Backoff,
    /// When to dial; none while connected or dialling.
    due: Option<Instant>,
}

impl Dialer {
    /// All of `addresses` but `own`, due at once, of which `most` are kept connected. An address without `/p2p/ID` is an
    /// error.
    pub(super) fn new(addresses: &[Multiaddr], own: PeerId, most: usize) -> Result<Self, String> {
        let mut targets: BTreeMap<PeerId, Target> = BTreeMap::new();
        for address in addresses {
            let Some(Protocol::P2p(peer)) = address.iter().last() else {
                return Err(format!("bootstrap address {address} does not end in /p2p/ID"));
            };
            if peer != own {
                let target = targets.entry(peer).or_insert_with(|| Target {
                    addresses: Vec::new(),
                    backoff: Backoff::default(),
                    due: Some(Instant::now()),
                });
                if target.addresses.len() < MAX_ADDRESSES {
                    target.addresses.push(address.clone());
                }
            }
        }
        Ok(Self { targets, most, held: BTreeSet::new() })
    }

    /// All of the bootstrap nodes.
    pub(super) fn targets(&self) -> impl Iterator<Item = PeerId> {
        self.targets.keys().copied()
    }

    /// When the next dial is due; none while enough of them are connected.
    pub(super) fn next_due(&self) -> Option<Instant> {
        let due = self.targets.values().filter_map(|target| target.due).min();
        due.filter(|_| self.held.len() < self.most)
    }

    /// The nodes that are due, as many as there is room for, in random order: every node would follow the same ones
    /// otherwise. They count as being dialled from now on.
    pub(super) fn take_due(&mut self, now: Instant) -> Vec<(PeerId, Vec<Multiaddr>)> {
        let due = self.targets.iter_mut().filter(|(_, target)| target.due.is_some_and(|due| due <= now));
        let mut due: Vec<_> = due.collect();
        due.shuffle(&mut rand::rng());
        due.truncate(self.most.saturating_sub(self.held.len()));
        let taken: Vec<_> = due
            .into_iter()
            .map(|(peer, target)| {
                target.due = None;
                (*peer, target.addresses.clone())
            })
            .collect();
        self.held.extend(taken.iter().map(|(peer, _)| *peer));
        taken
    }

    /// A connection to `peer` was established.
    pub(super) fn connected(&mut self, peer: &PeerId) {
        if let Some(target) = self.targets.get_mut(peer) {
            target.due = None;
            self.held.insert(*peer);
        }
    }

    /// `peer` was identified as a node of our mesh. Only this resets its failures: a node that refuses us, or that we
    /// refuse, still connects successfully each time.
    pub(super) fn met(&mut self, peer: &PeerId) {
        if let Some(target) = self.targets.get_mut(peer) {
            target.backoff.succeed();
        }
    }

    /// Dialling `peer` failed, or the last connection to it was closed.
    pub(super) fn lost(&mut self, peer: &PeerId, now: Instant) {
        if let Some(target) = self.targets.get_mut(peer) {
            self.held.remove(peer);
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
        let mut dialer = Dialer::new(&[address(own), address(other)], own, usize::MAX).unwrap();
        let now = Instant::now();
        assert_eq!(dialer.take_due(now), vec![(other, vec![address(other)])]);
        assert!(dialer.take_due(now).is_empty() && dialer.next_due().is_none());
        dialer.connected(&other);
        dialer.lost(&other, now);
        assert!(dialer.next_due().unwrap() > now);
        assert_eq!(dialer.take_due(now + Duration::from_secs(1)).len(), 1);
    }

    #[test]
    fn backs_off_from_a_node_that_connects_but_is_not_identified() {
        let other = PeerId::random();
        let mut dialer = Dialer::new(&[address(other)], PeerId::random(), usize::MAX).unwrap();
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
    fn all_addresses_of_a_node_are_tried_at_once() {
        let other = PeerId::random();
        let second: Multiaddr = format!("/ip6/::1/tcp/1/p2p/{other}").parse().unwrap();
        let both = [address(other), second];
        let mut dialer = Dialer::new(&both, PeerId::random(), usize::MAX).unwrap();
        assert_eq!(dialer.take_due(Instant::now()), vec![(other, both.to_vec())]);
    }

    #[test]
    fn a_follower_keeps_a_few_and_takes_others_for_those_that_are_lost() {
        let peers: Vec<_> = (0..20).map(|_| PeerId::random()).collect();
        let addresses: Vec<_> = peers.iter().copied().map(address).collect();
        let dialled = |most| {
            let mut dialer = Dialer::new(&addresses, PeerId::random(), most).unwrap();
            let taken = dialer.take_due(Instant::now());
            (dialer, taken)
        };
        let (mut dialer, taken) = dialled(4);
        assert_eq!((taken.len(), dialer.next_due()), (4, None));
        let lost = taken[0].0;
        dialer.lost(&lost, Instant::now());
        let next = dialer.take_due(Instant::now());
        assert!(next.len() == 1 && next[0].0 != lost, "another one, without a wait: {next:?}");
        // Without the limit every node is held.
        assert_eq!(dialled(usize::MAX).1.len(), 20);
    }

    #[test]
    fn an_address_without_an_identity_is_refused() {
        let bare = "/ip4/127.0.0.1/udp/1/quic-v1".parse().unwrap();
        assert!(Dialer::new(&[bare], PeerId::random(), usize::MAX).is_err());
    }
}
