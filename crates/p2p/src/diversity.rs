//! Limits how many nodes of one network enter the routing table.
//!
//! An adversary that owns one /24 has 256 addresses and any number of keys. Without a bound it could fill every bucket
//! and choose what this node sees of the mesh (an eclipse attack). So a bucket takes only [`MAX_PER_BUCKET`] nodes of
//! one /24 (for IPv6: /48), and the table [`MAX_PER_TABLE`]. Nodes of a local mesh all share one network, and are
//! exempt.

use std::net::IpAddr;

use libp2p::{
    Multiaddr, PeerId,
    kad::{self, store::MemoryStore},
    multiaddr::Protocol,
};

use crate::AddressScope;

/// Nodes of one network in one bucket of twenty.
const MAX_PER_BUCKET: usize = 2;

/// Nodes of one network in the whole table.
const MAX_PER_TABLE: usize = 8;

/// Addresses of one node in the table.
pub(crate) const MAX_ADDRESSES_PER_NODE: usize = 8;

type Dht = kad::Behaviour<MemoryStore>;

/// A network that may belong to one owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Subnet {
    /// A /24.
    V4([u8; 3]),
    /// A /48.
    V6([u8; 6]),
}

/// The network of the address's first part: for a relayed node, that of its relay.
pub(crate) fn subnet(address: &Multiaddr) -> Option<Subnet> {
    let ip = match address.iter().next()? {
        Protocol::Ip4(ip) => IpAddr::V4(ip),
        Protocol::Ip6(ip) => IpAddr::V6(ip).to_canonical(),
        _ => return None,
    };
    Some(match ip {
        IpAddr::V4(ip) => {
            let [a, b, c, _] = ip.octets();
            Subnet::V4([a, b, c])
        }
        IpAddr::V6(ip) => {
            // A site gets a /48 or less, with up to 2^80 addresses in it: RFC 6177.
            let [a, b, c, d, e, f, ..] = ip.octets();
            Subnet::V6([a, b, c, d, e, f])
        }
    })
}

/// Sets the addresses of `peer` in the routing table, as far as their networks have room. Returns how many addresses
/// were refused.
///
/// Earlier addresses of the peer that are not in `addresses` are removed, so that a peer cannot grow its entry.
pub(crate) fn admit(dht: &mut Dht, peer: PeerId, addresses: &[Multiaddr], scope: AddressScope) -> u64 {
    let mut refused = 0;
    let mut kept = Vec::new();
    for address in addresses.iter().take(MAX_ADDRESSES_PER_NODE) {
        if scope == AddressScope::Public && subnet(address).is_some_and(|subnet| is_full(dht, peer, subnet)) {
            refused += 1;
            continue;
        }
        dht.add_address(&peer, address.clone());
        // The table adds the identity.
        kept.extend(address.clone().with_p2p(peer));
    }
    for stale in routed(dht, peer).into_iter().filter(|address| !kept.contains(address)) {
        // Removing the last address removes the peer: one whose new addresses were all refused keeps its
        // place.
        if !kept.is_empty() {
            dht.remove_address(&peer, &stale);
        }
    }
    refused
}

/// The addresses of `peer` in the table.
fn routed(dht: &mut Dht, peer: PeerId) -> Vec<Multiaddr> {
    let Some(bucket) = dht.kbucket(peer) else { return Vec::new() };
    let entry = bucket.iter().find(|entry| *entry.node.key.preimage() == peer);
    entry.map(|entry| entry.node.value.iter().cloned().collect()).unwrap_or_default()
}

fn is_full(dht: &mut Dht, peer: PeerId, subnet: Subnet) -> bool {
    let in_bucket = dht.kbucket(peer).map_or(0, |bucket| count(&bucket, peer, subnet));
    let in_table: usize = dht.kbuckets().map(|bucket| count(&bucket, peer, subnet)).sum();
    in_bucket >= MAX_PER_BUCKET || in_table >= MAX_PER_TABLE
}

type Bucket<'a> = kad::KBucketRef<'a, kad::KBucketKey<PeerId>, kad::Addresses>;

/// Nodes in the bucket other than `peer` that have an address in `network`.
fn count(bucket: &Bucket<'_>, peer: PeerId, network: Subnet) -> usize {
    // Without the peer itself: a peer that renews its addresses would find its own network full.
    let others = bucket.iter().filter(|entry| *entry.node.key.preimage() != peer);
    others.filter(|entry| entry.node.value.iter().any(|address| subnet(address) == Some(network))).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dht() -> Dht {
        let own = PeerId::random();
        let mut config = kad::Config::default();
        config.set_kbucket_inserts(kad::BucketInserts::Manual);
        Dht::with_config(own, MemoryStore::new(own), config)
    }

    fn address(text: &str) -> Multiaddr {
        format!("{text}/udp/9000/quic-v1").parse().unwrap()
    }

    fn size(dht: &mut Dht) -> usize {
        dht.kbuckets().map(|bucket| bucket.num_entries()).sum()
    }

    /// The table's size after 300 nodes of one /24 were offered to it, and how many were refused.
    fn after_a_flood(scope: AddressScope) -> (usize, u64) {
        let mut dht = dht();
        let mut refused = 0;
        for number in 0..300 {
            let one = address(&format!("/ip4/203.0.114.{}", number % 256));
            refused += admit(&mut dht, PeerId::random(), &[one], scope);
        }
        (size(&mut dht), refused)
    }

    #[test]
    fn one_network_cannot_fill_the_table() {
        let (places, refused) = after_a_flood(AddressScope::Public);
        assert!(places <= MAX_PER_TABLE, "{places}");
        assert_eq!(usize::try_from(refused).unwrap() + places, 300);
    }

    #[test]
    fn without_the_bound_one_network_fills_the_table() {
        let (places, refused) = after_a_flood(AddressScope::Local);
        assert!(places > 3 * MAX_PER_TABLE && refused == 0, "{places}");
    }

    #[test]
    fn no_bucket_holds_more_than_two_of_one_network() {
        let mut dht = dht();
        for number in 0..300 {
            admit(
                &mut dht,
                PeerId::random(),
                &[address(&format!("/ip6/2606:4700::{number:x}"))],
                AddressScope::Public,
            );
        }
        assert!(dht.kbuckets().all(|bucket| bucket.num_entries() <= MAX_PER_BUCKET));
    }

    #[test]
    fn different_networks_have_room() {
        let mut dht = dht();
        for number in 0..10 {
            assert_eq!(
                admit(
                    &mut dht,
                    PeerId::random(),
                    &[address(&format!("/ip4/203.0.{number}.1"))],
                    AddressScope::Public
                ),
                0
            );
        }
        assert_eq!(size(&mut dht), 10);
    }

    #[test]
    fn new_addresses_replace_the_old_ones_and_stay_bounded() {
        let (mut dht, peer) = (dht(), PeerId::random());
        for round in 0..20u8 {
            let addresses: Vec<_> =
                (0..12).map(|port| address(&format!("/ip4/203.0.{round}.{port}"))).collect();
            admit(&mut dht, peer, &addresses, AddressScope::Public);
        }
        let held = routed(&mut dht, peer);
        assert_eq!(held.len(), MAX_ADDRESSES_PER_NODE);
        assert!(held.iter().all(|address| address.to_string().starts_with("/ip4/203.0.19.")));
    }
}
