//! Addresses: where to listen, which nodes to dial first, and which query addresses to advertise.

use std::{
    collections::BTreeSet,
    net::{IpAddr, SocketAddr},
};

use libp2p::multiaddr::Protocol;
use nervure_ledger::spec::MeshSpec;
use nervure_p2p::{AddressScope, Multiaddr, NetworkHandle, is_global, query::MappedPort};
use nervure_primitives::NodeId;
use nervure_protocol::bounds::MAX_RELAYS;

use super::StartError;

/// Addresses in a record; the record refuses more.
const MAX_ADDRESSES: usize = 4;

/// QUIC and TCP on `port` of each address of `bind`.
pub(crate) fn listen(bind: &[IpAddr], port: u16) -> Vec<Multiaddr> {
    let both = |ip: &IpAddr| {
        let base = || Multiaddr::from(*ip);
        [base().with(Protocol::Udp(port)).with(Protocol::QuicV1), base().with(Protocol::Tcp(port))]
    };
    bind.iter().flat_map(both).collect()
}

/// The bootstrap addresses of `spec`, without the node's own.
pub(crate) fn bootstrap(spec: &MeshSpec, own: &NodeId) -> Result<Vec<Multiaddr>, StartError> {
    let mut addresses = Vec::new();
    for text in &spec.network.bootstrap {
        let bad = |reason: String| StartError::Bootstrap { address: text.clone(), reason };
        let address: Multiaddr = text.parse().map_err(|error| bad(format!("{error}")))?;
        match address.iter().last() {
            Some(Protocol::P2p(peer)) if peer == own.peer_id() => {}
            Some(Protocol::P2p(_)) => addresses.push(address),
            _ => return Err(bad("it does not end in /p2p/ID".into())),
        }
    }
    Ok(addresses)
}

/// Where a query endpoint is: what it is bound to, and what the operator says. Its addresses follow those of the machine.
#[derive(Clone)]
pub(crate) struct QueryPlace {
    pub(crate) external: Vec<Multiaddr>,
    pub(crate) bound: Vec<SocketAddr>,
    /// What the local router opens, where it is asked.
    pub(crate) mapped: Option<MappedPort>,
    pub(crate) scope: AddressScope,
    /// Whether others may not know it.
    pub(crate) sealed: bool,
}

/// What a record says about where its node is asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) addresses: Vec<SocketAddr>,
    /// The nodes that relay for it.
    pub(crate) relays: Vec<NodeId>,
}

impl Place {
    /// Whether the node cannot be asked.
    pub(crate) fn is_empty(&self) -> bool {
        self.addresses.is_empty() && self.relays.is_empty()
    }
}

impl QueryPlace {
    /// The addresses and relays that others may know now.
    pub(crate) async fn now(&self, network: &NetworkHandle) -> Place {
        if self.sealed {
            return Place::default();
        }
        let listening = network.status().await.map(|status| status.listening).unwrap_or_default();
        let relays: BTreeSet<NodeId> = listening.iter().filter_map(relay).collect();
        let relays = relays.into_iter().take(MAX_RELAYS).collect();
        Place { addresses: self.addresses_of(&listening), relays }
    }

    /// The addresses that others may know now.
    pub(crate) async fn addresses(&self, network: &NetworkHandle) -> Vec<SocketAddr> {
        self.now(network).await.addresses
    }

    fn addresses_of(&self, listening: &[Multiaddr]) -> Vec<SocketAddr> {
        let direct: Vec<_> = listening.iter().filter(|address| relay(address).is_none()).cloned().collect();
        let mut addresses = query(&self.external, &direct, &self.bound, self.scope);
        let mapped = self.mapped.as_ref().and_then(MappedPort::address);
        addresses.extend(mapped.filter(|mapped| !addresses.contains(mapped)));
        addresses.truncate(MAX_ADDRESSES);
        addresses
    }
}

/// Where others reach the query endpoint that is bound to `bound`: at the addresses that the operator named, else
/// at those it is bound to and, where it is bound to all of a family, at every address of that family that the control plane
/// listens on and others may dial. The families take turns, so that a record with room for few has both.
fn query(
    external: &[Multiaddr],
    listening: &[Multiaddr],
    bound: &[SocketAddr],
    scope: AddressScope,
) -> Vec<SocketAddr> {
    let named: BTreeSet<SocketAddr> = match external.is_empty() {
        // An operator may name an address of a family that is translated to the other.
        false => {
            external.iter().filter_map(ip).filter_map(|ip| at(ip, bound, bound.first().copied())).collect()
        }
        true => {
            let all = listening.iter().filter_map(ip).filter_map(|ip| at(ip, bound, None));
            let is_bound_to_all = |address: &SocketAddr| {
                bound.iter().any(|own| own.ip().is_unspecified() && own.is_ipv4() == address.is_ipv4())
            };
            let fixed = bound.iter().filter(|own| !own.ip().is_unspecified()).copied();
            all.filter(is_bound_to_all).chain(fixed).collect()
        }
    };
    let may_know =
        |address: &SocketAddr| scope == AddressScope::Local || is_global(&Multiaddr::from(address.ip()));
    let (v4, v6): (Vec<_>, Vec<_>) = named.into_iter().filter(may_know).partition(SocketAddr::is_ipv4);
    let longest = v4.len().max(v6.len());
    let turns = (0..longest).flat_map(|turn| [v4.get(turn), v6.get(turn)]);
    turns.flatten().copied().take(MAX_ADDRESSES).collect()
}

/// `ip` with the port of the socket in its family, else with that of `other`.
fn at(ip: IpAddr, bound: &[SocketAddr], other: Option<SocketAddr>) -> Option<SocketAddr> {
    let own = bound.iter().find(|own| own.is_ipv4() == ip.is_ipv4()).copied();
    own.or(other).map(|own| SocketAddr::new(ip, own.port()))
}

/// The relay that an address leads through.
pub(crate) fn relay(address: &Multiaddr) -> Option<NodeId> {
    let parts: Vec<_> = address.iter().collect();
    let circuit = parts.iter().position(|part| *part == Protocol::P2pCircuit)?;
    match parts.get(circuit.checked_sub(1)?) {
        Some(Protocol::P2p(peer)) => NodeId::try_from(*peer).ok(),
        _ => None,
    }
}

fn ip(address: &Multiaddr) -> Option<IpAddr> {
    address.iter().find_map(|part| match part {
        Protocol::Ip4(ip) => Some(ip.into()),
        Protocol::Ip6(ip) => Some(ip.into()),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use nervure_primitives::NodeKey;

    use super::*;

    #[test]
    fn a_public_node_advertises_only_global_addresses() {
        let listening: Vec<Multiaddr> =
            ["/ip4/127.0.0.1/udp/1/quic-v1", "/ip4/8.8.4.4/udp/1/quic-v1", "/ip4/8.8.4.4/tcp/1"]
                .iter()
                .map(|text| text.parse().unwrap())
                .collect();
        let bound = ["0.0.0.0:7".parse().unwrap()];
        let named = query(&[], &listening, &bound, AddressScope::Public);
        assert_eq!(named, ["8.8.4.4:7".parse().unwrap()]);
        assert_eq!(query(&[], &listening, &bound, AddressScope::Local).len(), 2);
        let explicit = ["/ip4/9.9.9.9/udp/1/quic-v1".parse().unwrap()];
        assert_eq!(
            query(&explicit, &listening, &bound, AddressScope::Public),
            ["9.9.9.9:7".parse().unwrap()]
        );
    }

    #[test]
    fn both_families_are_advertised_each_with_its_port() {
        let [v4, other_v4, v6]: [Multiaddr; 3] =
            ["/ip4/8.8.4.4/udp/1/quic-v1", "/ip4/9.9.9.9/tcp/1", "/ip6/2606:4700::1111/udp/2/quic-v1"]
                .map(|text| text.parse().unwrap());
        let listening = [v4, other_v4, v6.clone()];
        let bound: [SocketAddr; 2] = ["0.0.0.0:7".parse().unwrap(), "[::]:8".parse().unwrap()];
        let expected = ["8.8.4.4:7", "[2606:4700::1111]:8", "9.9.9.9:7"].map(|text| text.parse().unwrap());
        assert_eq!(query(&[], &listening, &bound, AddressScope::Public), expected);
        // A node without IPv6 does not name an address of it that only the swarm has.
        assert!(query(&[], std::slice::from_ref(&v6), &bound[..1], AddressScope::Public).is_empty());
        // One address of several is bound to: no other one of its family is named.
        let one: [SocketAddr; 2] = ["8.8.4.4:7".parse().unwrap(), "[::]:8".parse().unwrap()];
        assert_eq!(query(&[], &listening, &one, AddressScope::Public), expected[..2]);
        // The operator says that a router translates.
        assert_eq!(
            query(&[v6], &[], &bound[..1], AddressScope::Public),
            ["[2606:4700::1111]:7".parse().unwrap()]
        );
    }

    #[tokio::test]
    async fn a_relay_is_named_and_its_address_is_not_taken_for_the_nodes_own() {
        let node = NodeKey::from_seed(&[1; 32]).node_id();
        let circuit: Multiaddr =
            format!("/ip4/8.8.4.4/udp/1/quic-v1/p2p/{node}/p2p-circuit/p2p/{node}").parse().unwrap();
        assert_eq!(relay(&circuit), Some(node));
        let place = QueryPlace {
            external: Vec::new(),
            bound: vec!["0.0.0.0:7".parse().unwrap()],
            mapped: None,
            scope: AddressScope::Public,
            sealed: false,
        };
        assert!(place.addresses_of(&[circuit]).is_empty());
        let own: Multiaddr = "/ip4/9.9.9.9/udp/1/quic-v1".parse().unwrap();
        assert_eq!((relay(&own), place.addresses_of(std::slice::from_ref(&own)).len()), (None, 1));
    }

    #[test]
    fn bootstrap_leaves_out_the_own_address_and_names_mistakes() {
        let own = NodeKey::from_seed(&[1; 32]).node_id();
        let other = NodeKey::from_seed(&[2; 32]).node_id();
        let mut spec = MeshSpec::test("a");
        let address = |id: &NodeId| format!("/ip4/127.0.0.1/udp/1/quic-v1/p2p/{id}");
        spec.network.bootstrap = vec![address(&own), address(&other)];
        assert_eq!(bootstrap(&spec, &own).unwrap(), [address(&other).parse().unwrap()]);
        for bad in ["nonsense", "/ip4/127.0.0.1/udp/1/quic-v1"] {
            spec.network.bootstrap = vec![bad.into()];
            assert!(bootstrap(&spec, &own).unwrap_err().to_string().contains(bad));
        }
    }
}
