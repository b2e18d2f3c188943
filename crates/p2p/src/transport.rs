//! The transports: QUIC, TCP with Noise and Yamux, circuits over relays; and the filter on dialled addresses.
//!
//! The dial filter is here and not where addresses are received, because there are many such places: lookups, identify,
//! hole punching, dial-back requests. Every dial passes through this transport, whichever peer named the address.

use std::{
    collections::BTreeSet,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use libp2p::{
    Multiaddr, PeerId,
    core::{
        muxing::StreamMuxerBox,
        transport::{
            Boxed, DialOpts, ListenerId, MemoryTransport, Transport, TransportError, TransportEvent,
            upgrade::Version,
        },
    },
    dns,
    identity::Keypair,
    multiaddr::Protocol,
    noise, quic, relay, tcp, yamux,
};
use prometheus_client::metrics::counter::Counter;

use crate::{AddressScope, NetworkConfig, is_global};

/// Bytes that a QUIC connection may have in flight towards us; control messages are small.
const QUIC_WINDOW_BYTES: u32 = 1 << 20;

/// Streams that a peer may have open towards us on one connection.
const MAX_STREAMS: u32 = 64;

/// Timeout from the first packet of a TCP connection to its last handshake.
const UPGRADE_TIMEOUT: Duration = Duration::from_secs(10);

/// In a local mesh all nodes are near: one that does not complete the handshake by then has not started (yet), and is
/// dialled again; one that is silent for so long is gone. In a public mesh libp2p's defaults hold: 5 s, 10 s and 5 s.
const LOCAL_HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(3);
const LOCAL_IDLE_TIMEOUT_MS: u32 = 6_000;
const LOCAL_KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(2);

type Output = (PeerId, StreamMuxerBox);

/// The transport, and the relay client that belongs to it.
pub(crate) struct Connections {
    pub(crate) transport: Boxed<Output>,
    pub(crate) relay: relay::client::Behaviour,
}

/// What carries the connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Carrier {
    /// UDP and TCP.
    Sockets,
    /// Channels within this process, with addresses such as `/memory/1`.
    Memory,
}

/// The transport for `config`.
pub(crate) fn connections(
    key: &Keypair,
    config: &NetworkConfig,
    carrier: Carrier,
) -> Result<Connections, String> {
    let direct = FilteredTransport {
        inner: match carrier {
            Carrier::Sockets => direct(key, config.scope)?,
            Carrier::Memory => in_memory(key)?,
        },
        scope: config.scope,
        trusted: config.bootstrap.iter().chain(&config.listen).map(first_hop).collect(),
        refused: config.metrics.dials_refused.clone(),
    };
    let (circuits, relay) = relay::client::new(key.public().to_peer_id());
    let circuits = circuits
        .upgrade(Version::V1Lazy)
        .authenticate(noise::Config::new(key).map_err(|error| error.to_string())?)
        .multiplex(multiplexer())
        .timeout(UPGRADE_TIMEOUT)
        .map(|(peer, connection), _| (peer, StreamMuxerBox::new(connection)));
    let transport = circuits.or_transport(direct).map(|either, _| either.into_inner()).boxed();
    Ok(Connections { transport, relay })
}

fn direct(key: &Keypair, scope: AddressScope) -> Result<Boxed<Output>, String> {
    let mut config = quic::Config::new(key);
    if scope == AddressScope::Local {
        config.handshake_timeout = LOCAL_HANDSHAKE_TIMEOUT;
        config.max_idle_timeout = LOCAL_IDLE_TIMEOUT_MS;
        config.keep_alive_interval = LOCAL_KEEP_ALIVE_INTERVAL;
    }
    config.max_concurrent_stream_limit = MAX_STREAMS;
    config.max_connection_data = QUIC_WINDOW_BYTES;
    config.max_stream_data = QUIC_WINDOW_BYTES;
    let quic = quic::tokio::Transport::new(config)
        .map(|(peer, connection), _| (peer, StreamMuxerBox::new(connection)));
    let tcp = tcp::tokio::Transport::new(tcp::Config::default().nodelay(true))
        .upgrade(Version::V1Lazy)
        .authenticate(noise::Config::new(key).map_err(|error| error.to_string())?)
        .multiplex(multiplexer())
        .timeout(UPGRADE_TIMEOUT)
        .map(|(peer, connection), _| (peer, StreamMuxerBox::new(connection)));
    let both = quic.or_transport(tcp).map(|either, _| either.into_inner()).boxed();
    Ok(dns::tokio::Transport::system(both).map_err(|error| error.to_string())?.boxed())
}

fn in_memory(key: &Keypair) -> Result<Boxed<Output>, String> {
    let memory = MemoryTransport::new()
        .upgrade(Version::V1Lazy)
        .authenticate(noise::Config::new(key).map_err(|error| error.to_string())?)
        .multiplex(multiplexer())
        .timeout(UPGRADE_TIMEOUT)
        .map(|(peer, connection), _| (peer, StreamMuxerBox::new(connection)));
    Ok(memory.boxed())
}

fn multiplexer() -> yamux::Config {
    let mut yamux = yamux::Config::default();
    yamux.set_max_num_streams(MAX_STREAMS as usize);
    yamux
}

/// The part of an address that is dialled first: all before the first `/p2p/ID`.
pub(crate) fn first_hop(address: &Multiaddr) -> Multiaddr {
    address.iter().take_while(|part| !matches!(part, Protocol::P2p(_))).collect()
}

/// In a public mesh, dials only global addresses and those that the operator named.
struct FilteredTransport {
    inner: Boxed<Output>,
    scope: AddressScope,
    trusted: BTreeSet<Multiaddr>,
    /// Dials that it refused.
    refused: Counter,
}

impl FilteredTransport {
    fn allows(&self, address: &Multiaddr) -> bool {
        self.scope == AddressScope::Local || is_global(address) || self.trusted.contains(&first_hop(address))
    }
}

impl Transport for FilteredTransport {
    type Output = Output;
    type Error = <Boxed<Output> as Transport>::Error;
    type ListenerUpgrade = <Boxed<Output> as Transport>::ListenerUpgrade;
    type Dial = <Boxed<Output> as Transport>::Dial;

    fn listen_on(&mut self, id: ListenerId, address: Multiaddr) -> Result<(), TransportError<Self::Error>> {
        self.inner.listen_on(id, address)
    }

    fn remove_listener(&mut self, id: ListenerId) -> bool {
        self.inner.remove_listener(id)
    }

    fn dial(
        &mut self,
        address: Multiaddr,
        options: DialOpts,
    ) -> Result<Self::Dial, TransportError<Self::Error>> {
        if self.allows(&address) {
            return self.inner.dial(address, options);
        }
        self.refused.inc();
        tracing::debug!(%address, "refused to dial an address that is not global");
        Err(TransportError::MultiaddrNotSupported(address))
    }

    fn poll(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<TransportEvent<Self::ListenerUpgrade, Self::Error>> {
        Pin::new(&mut self.inner).poll(context)
    }
}

#[cfg(test)]
mod tests {
    use libp2p::core::{Endpoint, transport::PortUse};
    use nervure_primitives::{MeshId, NodeKey};

    use super::*;

    /// Whether a node of this scope dials a port on loopback that a peer named; and how many dials were refused.
    async fn dials_loopback(scope: AddressScope, bootstrap: Option<&str>) -> (bool, u64) {
        let mut config = NetworkConfig::new(NodeKey::from_seed(&[1; 32]), MeshId::from_bytes([1; 32]), scope);
        let peer = PeerId::random();
        config.bootstrap.extend(bootstrap.map(|address| format!("{address}/p2p/{peer}").parse().unwrap()));
        let mut connections = connections(&config.key.libp2p_keypair(), &config, Carrier::Sockets).unwrap();
        let options = DialOpts { role: Endpoint::Dialer, port_use: PortUse::New };
        let dialled = connections.transport.dial("/ip4/127.0.0.1/tcp/6379".parse().unwrap(), options).is_ok();
        (dialled, config.metrics.dials_refused.get())
    }

    #[tokio::test]
    async fn a_public_node_refuses_a_loopback_address_of_a_stranger() {
        assert_eq!(dials_loopback(AddressScope::Public, None).await, (false, 1));
        assert_eq!(dials_loopback(AddressScope::Public, Some("/ip4/10.0.0.1/tcp/1")).await, (false, 1));
    }

    #[tokio::test]
    async fn the_operators_addresses_and_all_of_a_local_mesh_are_dialled() {
        assert_eq!(dials_loopback(AddressScope::Public, Some("/ip4/127.0.0.1/tcp/6379")).await, (true, 0));
        assert_eq!(dials_loopback(AddressScope::Local, None).await, (true, 0));
    }
}
