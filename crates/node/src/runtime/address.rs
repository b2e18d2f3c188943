//! Addresses: where to listen, which nodes to dial first, and which query addresses to advertise.

use std::{
    collections::BTreeSet,
    net::{IpAddr, SocketAddr},
};

use libp2p::multiaddr::Protocol;
use nervure_ledger::spec::MeshSpec;
use nervure_p2p::{AddressScope, Multiaddr, is_global};
use nervure_primitives::NodeId;

use super::StartError;
use crate::config::NodeConfig;

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

/// Where others reach the query endpoint that is bound to `bound`: at the addresses that the operator named, else
/// at the one it is bound to, else at every address that the control plane listens on and others may dial.
pub(crate) fn query(
    config: &NodeConfig,
    listening: &[Multiaddr],
    bound: SocketAddr,
    scope: AddressScope,
) -> Vec<SocketAddr> {
    let ips = |addresses: &[Multiaddr]| addresses.iter().filter_map(ip).collect::<BTreeSet<_>>();
    let ips = if !config.external.is_empty() {
        ips(&config.external)
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
    use crate::config::{Preset, Settings};

    fn config(external: &[&str]) -> NodeConfig {
        let external = external.iter().map(|text| text.parse().unwrap()).collect();
        let settings = Settings { external, ..Settings::default() };
        NodeConfig::resolve("/d".into(), settings, Settings::default(), Preset::Public)
    }

    #[test]
    fn a_public_node_advertises_only_global_addresses() {
        let listening: Vec<Multiaddr> =
            ["/ip4/127.0.0.1/udp/1/quic-v1", "/ip4/8.8.4.4/udp/1/quic-v1", "/ip4/8.8.4.4/tcp/1"]
                .iter()
                .map(|text| text.parse().unwrap())
                .collect();
        let bound = "0.0.0.0:7".parse().unwrap();
        let named = query(&config(&[]), &listening, bound, AddressScope::Public);
        assert_eq!(named, ["8.8.4.4:7".parse().unwrap()]);
        assert_eq!(query(&config(&[]), &listening, bound, AddressScope::Local).len(), 2);
        let explicit = config(&["/ip4/9.9.9.9/udp/1/quic-v1"]);
        assert_eq!(query(&explicit, &listening, bound, AddressScope::Public), ["9.9.9.9:7".parse().unwrap()]);
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
