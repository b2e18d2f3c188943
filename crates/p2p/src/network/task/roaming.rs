//! Roaming: connections from an address that this machine no longer has are replaced, before they time out.
//!
//! Once a second the routing table is asked from which address packets to each peer would leave. When that is another address than
//! when the connection was made, the peer is dialled again, and the old connection is closed when the new one is there: not before,
//! because gossip sends its subscriptions to a peer once, with its first connection.
//!
//! A NAT that gets another address is not noticed here: the machine's own address stays. Those connections end with their idle
//! timeout.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
};

use libp2p::{
    Multiaddr, PeerId,
    core::ConnectedPoint,
    multiaddr::Protocol,
    swarm::{
        ConnectionId,
        dial_opts::{DialOpts, PeerCondition},
    },
};

use super::Task;

/// Addresses of one peer that are dialled again, beside the one in use.
const MAX_DIALLED: usize = 4;

/// The direct connections, each with the address of this machine that it leaves from. Bounded by the limits on connections.
#[derive(Debug, Default)]
pub(super) struct Sources(BTreeMap<ConnectionId, Source>);

#[derive(Debug)]
struct Source {
    peer: PeerId,
    remote: SocketAddr,
    own: IpAddr,
    /// The peer's address, where this node has dialled it.
    dialled: Option<Multiaddr>,
    /// Whether it has left this address and the peer is dialled again.
    is_left: bool,
}

impl Sources {
    /// A connection was established. Those through relays, and those of other transports, are left out.
    pub(super) fn add(
        &mut self,
        (id, peer): (ConnectionId, PeerId),
        endpoint: &ConnectedPoint,
        route: impl Fn(SocketAddr) -> Option<IpAddr>,
    ) {
        let remote = socket(endpoint.get_remote_address()).filter(|_| !endpoint.is_relayed());
        if let Some((remote, own)) = remote.and_then(|remote| Some((remote, route(remote)?))) {
            let dialled = endpoint.is_dialer().then(|| endpoint.get_remote_address().clone());
            self.0.insert(id, Source { peer, remote, own, dialled, is_left: false });
        }
    }

    pub(super) fn remove(&mut self, id: ConnectionId) {
        self.0.remove(&id);
    }

    /// The peers whose connections leave from another address now, each with the addresses that were dialled. A connection counts
    /// once. Without a route to a peer nothing is known: it may come back.
    fn left(&mut self, route: impl Fn(SocketAddr) -> Option<IpAddr>) -> BTreeMap<PeerId, Vec<Multiaddr>> {
        let mut left: BTreeMap<PeerId, Vec<Multiaddr>> = BTreeMap::new();
        for source in self.0.values_mut().filter(|source| !source.is_left) {
            if route(source.remote).is_some_and(|now| now != source.own) {
                source.is_left = true;
                left.entry(source.peer).or_default().extend(source.dialled.clone());
            }
        }
        left
    }

    /// The connections of `peer` that a new one replaces.
    fn replaced(&self, peer: &PeerId) -> Vec<ConnectionId> {
        let left = self.0.iter().filter(|(_, source)| source.is_left && source.peer == *peer);
        left.map(|(id, _)| *id).collect()
    }
}

impl Task {
    /// Dials peers again whose connections leave from another address now.
    pub(super) fn follow_own_address(&mut self) {
        let left = self.sources.left(own_address_to);
        if left.is_empty() {
            return;
        }
        tracing::info!(peers = left.len(), "this machine's address has changed; its peers are dialled again");
        for (peer, mut addresses) in left {
            let known = self.book.addresses(&peer);
            addresses.extend(known.into_iter().filter(|address| self.may_dial(address)).take(MAX_DIALLED));
            let options = DialOpts::peer_id(peer).addresses(addresses).condition(PeerCondition::Always);
            // Without an address the peer dials this node, or its connection times out.
            let _ = self.swarm.dial(options.build());
        }
    }

    /// A new direct connection to `peer` is there: closes those that leave from an address of before.
    pub(super) fn close_replaced(&mut self, peer: &PeerId) {
        for id in self.sources.replaced(peer) {
            self.swarm.close_connection(id);
        }
    }
}

/// The address from which packets to `remote` leave, as the routing table says. Nothing is sent.
pub(super) fn own_address_to(remote: SocketAddr) -> Option<IpAddr> {
    let any: IpAddr = match remote {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0)).ok()?;
    socket.connect(remote).ok()?;
    socket.local_addr().ok().map(|own| own.ip())
}

/// The IP address and port that a multiaddress begins with.
fn socket(address: &Multiaddr) -> Option<SocketAddr> {
    let mut parts = address.iter();
    let ip: IpAddr = match parts.next()? {
        Protocol::Ip4(ip) => ip.into(),
        Protocol::Ip6(ip) => ip.into(),
        _ => return None,
    };
    match parts.next()? {
        Protocol::Udp(port) | Protocol::Tcp(port) => Some((ip, port).into()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use libp2p::core::{Endpoint, transport::PortUse};

    use super::*;

    const FIRST: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
    const SECOND: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2));

    fn dialled(address: &str) -> ConnectedPoint {
        let address = address.parse().unwrap();
        ConnectedPoint::Dialer { address, role_override: Endpoint::Dialer, port_use: PortUse::Reuse }
    }

    #[test]
    fn a_peer_is_dialled_once_when_the_own_address_changes_and_not_while_there_is_no_route() {
        let (peer, id) = (PeerId::random(), ConnectionId::new_unchecked(1));
        let mut sources = Sources::default();
        sources.add((id, peer), &dialled("/ip4/8.8.4.4/udp/7/quic-v1"), |_| Some(FIRST));
        assert!(sources.left(|_| Some(FIRST)).is_empty(), "nothing has changed");
        assert!(sources.left(|_| None).is_empty(), "the interface is down");
        assert!(sources.replaced(&peer).is_empty());
        let left = sources.left(|_| Some(SECOND));
        assert_eq!(left[&peer], ["/ip4/8.8.4.4/udp/7/quic-v1".parse().unwrap()]);
        assert!(sources.left(|_| Some(SECOND)).is_empty(), "it is being dialled already");
        // The new connection leaves from the new address, and only the old one is closed.
        let new = ConnectionId::new_unchecked(2);
        sources.add((new, peer), &dialled("/ip4/8.8.4.4/udp/7/quic-v1"), |_| Some(SECOND));
        assert_eq!(sources.replaced(&peer), [id]);
        sources.remove(id);
        assert!(sources.replaced(&peer).is_empty() && sources.left(|_| Some(SECOND)).is_empty());
    }

    #[test]
    fn relayed_connections_and_those_within_the_process_have_no_source() {
        let (peer, mut sources) = (PeerId::random(), Sources::default());
        let circuit = format!("/ip4/8.8.4.4/udp/7/quic-v1/p2p/{peer}/p2p-circuit");
        for (number, address) in (1..).zip([circuit.as_str(), "/memory/7"]) {
            sources.add((ConnectionId::new_unchecked(number), peer), &dialled(address), |_| Some(FIRST));
        }
        assert!(sources.0.is_empty(), "{sources:?}");
    }
}
