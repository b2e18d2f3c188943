//! How often a faucet pays.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    net::IpAddr,
    time::{Duration, Instant},
};

use nervure_p2p::Multiaddr;
use nervure_primitives::NodeId;

use super::{PER_HOUR, PER_NETWORK};

/// The time over which payments are counted.
const WINDOW: Duration = Duration::from_secs(3600);

/// Owners that are remembered. Beyond that, the faucet pays no one until it is restarted.
const MAX_OWNERS: usize = 100_000;

/// A /24, or a /48 of IPv6.
pub(super) type NetworkId = [u8; 7];

/// The payments so far.
#[derive(Default)]
pub(super) struct Limits {
    owners: BTreeSet<NodeId>,
    /// When each payment of the last hour was made, and to which network.
    recent: VecDeque<(Instant, Option<NetworkId>)>,
}

impl Limits {
    /// Counts a payment, or says why there is none.
    pub(super) fn take(
        &mut self,
        owner: NodeId,
        network: Option<NetworkId>,
        now: Instant,
    ) -> Result<(), String> {
        while self.recent.front().is_some_and(|(at, _)| now.saturating_duration_since(*at) >= WINDOW) {
            self.recent.pop_front();
        }
        if self.owners.contains(&owner) {
            return Err("this owner was paid before".into());
        }
        if self.recent.len() >= PER_HOUR || self.owners.len() >= MAX_OWNERS {
            return Err("the faucet has paid as much as it may: try again in an hour".into());
        }
        let mut counted: BTreeMap<NetworkId, usize> = BTreeMap::new();
        for network in self.recent.iter().filter_map(|(_, network)| *network) {
            *counted.entry(network).or_default() += 1;
        }
        if network.is_some_and(|network| counted.get(&network).copied().unwrap_or(0) >= PER_NETWORK) {
            return Err("your network was paid as often as it may: try again in an hour".into());
        }
        self.owners.insert(owner);
        self.recent.push_back((now, network));
        Ok(())
    }

    /// The payment to an owner was not made.
    pub(super) fn give_back(&mut self, owner: NodeId) {
        self.owners.remove(&owner);
    }
}

/// The network of an address.
pub(super) fn network_of(address: &Multiaddr) -> Option<NetworkId> {
    let text = address.to_string();
    let ip: IpAddr = text.split('/').nth(2)?.parse().ok()?;
    let mut id = [0; 7];
    match ip.to_canonical() {
        IpAddr::V4(ip) => id[1..4].copy_from_slice(&ip.octets()[..3]),
        IpAddr::V6(ip) => {
            id[0] = 6;
            id[1..].copy_from_slice(&ip.octets()[..6]);
        }
    }
    Some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner(number: u32) -> NodeId {
        let mut bytes = [0; 32];
        bytes[..4].copy_from_slice(&number.to_be_bytes());
        NodeId::from_bytes(bytes)
    }

    #[test]
    fn owners_networks_and_hours_are_bounded() {
        let (mut limits, now) = (Limits::default(), Instant::now());
        let home = network_of(&"/ip4/8.8.4.4/udp/1/quic-v1".parse().unwrap());
        assert_eq!(limits.take(owner(0), home, now), Ok(()));
        assert!(limits.take(owner(0), None, now).unwrap_err().contains("paid before"));
        (1..PER_NETWORK as u32).for_each(|n| assert_eq!(limits.take(owner(n), home, now), Ok(())));
        assert!(limits.take(owner(900), home, now).unwrap_err().contains("network"));
        // Without the network, the same claim is paid.
        assert_eq!(limits.take(owner(900), None, now), Ok(()));
        (1_000..1_000 + PER_HOUR as u32).for_each(|n| drop(limits.take(owner(n), None, now)));
        assert!(limits.take(owner(9_000), None, now).unwrap_err().contains("in an hour"));
        assert_eq!(limits.take(owner(9_000), home, now + WINDOW), Ok(()));
        limits.give_back(owner(9_000));
        assert_eq!(limits.take(owner(9_000), home, now + WINDOW), Ok(()));
    }

    #[test]
    fn neighbours_share_a_network() {
        let of = |text: &str| network_of(&text.parse().unwrap());
        assert_eq!(of("/ip4/8.8.4.4/udp/1/quic-v1"), of("/ip4/8.8.4.9/tcp/1"));
        assert_ne!(of("/ip4/8.8.4.4/tcp/1"), of("/ip4/8.8.5.4/tcp/1"));
        assert_eq!(of("/ip6/2001:db8:1:2::1/tcp/1"), of("/ip6/2001:db8:1:3::1/tcp/1"));
    }
}
