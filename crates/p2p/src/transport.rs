//! How connections are made: QUIC, TCP with Noise and Yamux, circuits over relays; and which addresses are never
//! dialled.
//!
//! The filter stands here and not where addresses come in, because they come in everywhere: a lookup's answers,
//! identify, hole punching, requests to be dialled back. Whoever names an address, this is the last door.

use std::{
    collections::BTreeSet,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use libp2p::{
    Multiaddr, PeerId,
    core::{
        muxing::StreamMuxerBox,
        transport::{
            Boxed, DialOpts, ListenerId, Transport, TransportError, TransportEvent, upgrade::Version,
        },
    },
    dns,
    identity::Keypair,
    multiaddr::Protocol,
    noise, quic, relay, tcp, yamux,
};

use crate::{NetworkConfig, Scope, is_global};

/// Bytes that a QUIC connection may have in flight towards us; control messages are small.
const QUIC_WINDOW: u32 = 1 << 20;

/// Streams that a peer may have open towards us on one connection.
const STREAMS: u32 = 64;

/// From the first packet of a TCP connection to its last handshake.
const UPGRADE: Duration = Duration::from_secs(10);

/// In a local mesh everybody is near: who has not answered by then is not there (yet), and is dialled again; who is silent
/// for so long is gone. Elsewhere libp2p's own 5 s, 10 s and 5 s.
const LOCAL_HANDSHAKE: Duration = Duration::from_secs(3);
const LOCAL_SILENCE_MS: u32 = 6_000;
const LOCAL_KEEP_ALIVE: Duration = Duration::from_secs(2);

type Output = (PeerId, StreamMuxerBox);

/// What it takes to make connections.
pub(crate) struct Connections {
    pub(crate) transport: Boxed<Output>,
    pub(crate) relay: relay::client::Behaviour,
    /// Dials that the filter refused.
    pub(crate) refused: Arc<AtomicU64>,
}

/// The transport for `config`.
pub(crate) fn connections(key: &Keypair, config: &NetworkConfig) -> Result<Connections, String> {
    let refused = Arc::new(AtomicU64::new(0));
    let direct = Filtered {
        inner: direct(key, config.scope)?,
        scope: config.scope,
        trusted: config.bootstrap.iter().chain(&config.listen).map(first_hop).collect(),
        refused: refused.clone(),
    };
    let (circuits, relay) = relay::client::new(key.public().to_peer_id());
    let circuits = circuits
        .upgrade(Version::V1Lazy)
        .authenticate(noise::Config::new(key).map_err(|error| error.to_string())?)
        .multiplex(multiplexer())
        .timeout(UPGRADE)
        .map(|(peer, connection), _| (peer, StreamMuxerBox::new(connection)));
    let transport = circuits.or_transport(direct).map(|either, _| either.into_inner()).boxed();
    Ok(Connections { transport, relay, refused })
}

fn direct(key: &Keypair, scope: Scope) -> Result<Boxed<Output>, String> {
    let mut config = quic::Config::new(key);
    if scope == Scope::Local {
        config.handshake_timeout = LOCAL_HANDSHAKE;
        config.max_idle_timeout = LOCAL_SILENCE_MS;
        config.keep_alive_interval = LOCAL_KEEP_ALIVE;
    }
    config.max_concurrent_stream_limit = STREAMS;
    config.max_connection_data = QUIC_WINDOW;
    config.max_stream_data = QUIC_WINDOW;
    let quic = quic::tokio::Transport::new(config)
        .map(|(peer, connection), _| (peer, StreamMuxerBox::new(connection)));
    let tcp = tcp::tokio::Transport::new(tcp::Config::default().nodelay(true))
        .upgrade(Version::V1Lazy)
        .authenticate(noise::Config::new(key).map_err(|error| error.to_string())?)
        .multiplex(multiplexer())
        .timeout(UPGRADE)
        .map(|(peer, connection), _| (peer, StreamMuxerBox::new(connection)));
    let both = quic.or_transport(tcp).map(|either, _| either.into_inner()).boxed();
    Ok(dns::tokio::Transport::system(both).map_err(|error| error.to_string())?.boxed())
}

fn multiplexer() -> yamux::Config {
    let mut yamux = yamux::Config::default();
    yamux.set_max_num_streams(STREAMS as usize);
    yamux
}

/// The part of an address that is dialled: all before the first identity.
pub(crate) fn first_hop(address: &Multiaddr) -> Multiaddr {
    address.iter().take_while(|part| !matches!(part, Protocol::P2p(_))).collect()
}

/// Dials what the whole internet can reach, and what the operator named.
struct Filtered {
    inner: Boxed<Output>,
    scope: Scope,
    trusted: BTreeSet<Multiaddr>,
    refused: Arc<AtomicU64>,
}

impl Filtered {
    fn allows(&self, address: &Multiaddr) -> bool {
        self.scope == Scope::Local || is_global(address) || self.trusted.contains(&first_hop(address))
    }
}

impl Transport for Filtered {
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
        self.refused.fetch_add(1, Ordering::Relaxed);
        tracing::debug!(%address, "an address that a public mesh does not dial");
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

    /// Whether a node of this scope, told of a port on loopback, tries it; and how many dials were refused.
    async fn knocks(scope: Scope, bootstrap: Option<&str>) -> (bool, u64) {
        let mut config = NetworkConfig::new(NodeKey::from_seed(&[1; 32]), MeshId::from_bytes([1; 32]), scope);
        let peer = PeerId::random();
        config.bootstrap.extend(bootstrap.map(|address| format!("{address}/p2p/{peer}").parse().unwrap()));
        let mut connections = connections(&config.key.libp2p_keypair(), &config).unwrap();
        let options = DialOpts { role: Endpoint::Dialer, port_use: PortUse::New };
        let dialled = connections.transport.dial("/ip4/127.0.0.1/tcp/6379".parse().unwrap(), options).is_ok();
        (dialled, connections.refused.load(Ordering::Relaxed))
    }

    #[tokio::test]
    async fn a_public_node_does_not_knock_where_a_stranger_points() {
        assert_eq!(knocks(Scope::Public, None).await, (false, 1));
        assert_eq!(knocks(Scope::Public, Some("/ip4/10.0.0.1/tcp/1")).await, (false, 1));
    }

    #[tokio::test]
    async fn it_does_where_the_operator_points_and_a_local_one_does_anyway() {
        assert_eq!(knocks(Scope::Public, Some("/ip4/127.0.0.1/tcp/6379")).await, (true, 0));
        assert_eq!(knocks(Scope::Local, None).await, (true, 0));
    }
}
