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

/// QUIC and TCP on `port` of `bind`.
pub(crate) fn listen(bind: IpAddr, port: u16) -> Vec<Multiaddr> {
    let base = || Multiaddr::from(bind);
    vec![base().with(Protocol::Udp(port)).with(Protocol::QuicV1), base().with(Protocol::Tcp(port))]
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
    pub(crate) bound: SocketAddr,
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
        let mut addresses = query(&self.external, &direct, self.bound, self.scope);
        let mapped = self.mapped.as_ref().and_then(MappedPort::address);
        addresses.extend(mapped.filter(|mapped| !addresses.contains(mapped)));
        addresses.truncate(MAX_ADDRESSES);
        addresses
    }
}

/// Where others reach the query endpoint that is bound to `bound`: at the addresses that the operator named, else
/// at the one it is bound to, else at every address that the control plane listens on and others may dial.
fn query(
    external: &[Multiaddr],
    listening: &[Multiaddr],
    bound: SocketAddr,
    scope: AddressScope,
) -> Vec<SocketAddr> {
    let ips = |addresses: &[Multiaddr]| addresses.iter().filter_map(ip).collect::<BTreeSet<_>>();
    let ips = if !external.is_empty() {
        ips(external)
    } else if !bound.ip().is_unspecified() {
        BTreeSet::from([bound.ip()])
    } else {
        ips(listening)
    };
    ips.into_iter()
        .filter(|ip| scope == AddressScope::Local || is_global(&Multiaddr::from(*ip)))
        .take(MAX_ADDRESSES)
        .map(|ip| SocketAddr::new(ip, bound.port()))
        .collect()
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
        let bound = "0.0.0.0:7".parse().unwrap();
        let named = query(&[], &listening, bound, AddressScope::Public);
        assert_eq!(named, ["8.8.4.4:7".parse().unwrap()]);
        assert_eq!(query(&[], &listening, bound, AddressScope::Local).len(), 2);
        let explicit = ["/ip4/9.9.9.9/udp/1/quic-v1".parse().unwrap()];
        assert_eq!(query(&explicit, &listening, bound, AddressScope::Public), ["9.9.9.9:7".parse().unwrap()]);
    }

    #[tokio::test]
    async fn a_relay_is_named_and_its_address_is_not_taken_for_the_nodes_own() {
        let node = NodeKey::from_seed(&[1; 32]).node_id();
        let circuit: Multiaddr =
            format!("/ip4/8.8.4.4/udp/1/quic-v1/p2p/{node}/p2p-circuit/p2p/{node}").parse().unwrap();
        assert_eq!(relay(&circuit), Some(node));
        let place = QueryPlace {
            external: Vec::new(),
            bound: "0.0.0.0:7".parse().unwrap(),
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
