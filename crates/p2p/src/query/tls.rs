//! TLS for the query plane: libp2p's certificates with our ALPN name.
//!
//! libp2p's TLS configurations log session keys to the file that SSLKEYLOGFILE names; ours never do.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use nervure_primitives::{Hash, MeshId, NodeId, NodeKey};
use nervure_protocol::{AskerClass, domains, names};
use quinn::{
    Connection, EndpointConfig, TransportConfig, VarInt,
    crypto::rustls::{QuicClientConfig, QuicServerConfig},
};
use ring::hmac;
use rustls::{NoKeyLog, client::Resumption, pki_types::CertificateDer};

use super::{ServerConfig, StartError};

/// Bytes in flight towards an asker on one connection.
const RECEIVE_WINDOW_BYTES: u32 = 4 << 20;

/// Bytes in flight towards us on one stream: one whole open frame.
const STREAM_WINDOW_BYTES: u32 = 1 << 20;

/// Bytes that an asker buffers towards a node that does not read.
const SEND_WINDOW_BYTES: u64 = 1 << 20;

/// Keep-alive of an idle connection, and the client's idle timeout: a query to a node that just died hangs for at most
/// the latter.
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(3);
const CLIENT_IDLE_TIMEOUT: Duration = Duration::from_secs(10);

/// The ALPN name: version and mesh.
fn alpn(mesh: &MeshId) -> Vec<u8> {
    names::query_alpn(mesh).into_bytes()
}

pub(super) fn server(config: &ServerConfig) -> Result<quinn::ServerConfig, StartError> {
    let setup = |error: &dyn std::fmt::Display| StartError::Setup(error.to_string());
    let mut tls = libp2p_tls::make_server_config(&config.key.libp2p_keypair()).map_err(|e| setup(&e))?;
    tls.alpn_protocols = vec![alpn(&config.mesh)];
    tls.key_log = Arc::new(NoKeyLog);
    let crypto = QuicServerConfig::try_from(tls).map_err(|e| setup(&e))?;
    let mut quic = quinn::ServerConfig::with_crypto(Arc::new(crypto));
    // Those of a stranger until the handshake has shown the key.
    let least = config.classes.of(AskerClass::Stranger);
    let mut transport = transport(least.streams.get(), config.idle);
    transport.receive_window(least.window_bytes.into()).send_window(least.window_bytes.into());
    quic.transport_config(Arc::new(transport));
    quic.max_incoming(config.connections.get());
    quic.incoming_buffer_size(64 << 10);
    quic.incoming_buffer_size_total(4 << 20);
    // The places are counted by the network of the address: a connection that moves would evade the count.
    quic.migration(false);
    Ok(quic)
}

/// An endpoint's settings. The key for stateless resets is derived from the node key, so that a restarted node can tell
/// its earlier askers at once that their connections are gone.
pub(super) fn endpoint(key: &NodeKey) -> EndpointConfig {
    let secret = Hash::of(domains::QUERY_RESET, &[key.sign(domains::QUERY_RESET_SECRET).as_bytes()]);
    EndpointConfig::new(Arc::new(hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes())))
}

/// The client configuration, shared by all connections, because each one costs a new certificate. It accepts any valid
/// certificate: the caller must compare [`peer`] with the expected node before it sends a byte. Sessions are never
/// resumed, so that every connection shows its certificate.
pub(super) fn client(key: &NodeKey, mesh: &MeshId) -> Result<quinn::ClientConfig, StartError> {
    let setup = |error: &dyn std::fmt::Display| StartError::Setup(error.to_string());
    let mut tls = libp2p_tls::make_client_config(&key.libp2p_keypair(), None).map_err(|e| setup(&e))?;
    tls.resumption = Resumption::disabled();
    tls.alpn_protocols = vec![alpn(mesh)];
    tls.key_log = Arc::new(NoKeyLog);
    let crypto = QuicClientConfig::try_from(tls).map_err(|e| setup(&e))?;
    let mut quic = quinn::ClientConfig::new(Arc::new(crypto));
    // No streams towards the client: a node that is asked has no reason to open one.
    let mut transport = transport(0, CLIENT_IDLE_TIMEOUT);
    transport.keep_alive_interval(Some(KEEP_ALIVE_INTERVAL));
    quic.transport_config(Arc::new(transport));
    Ok(quic)
}

fn transport(streams: u32, idle: Duration) -> TransportConfig {
    let mut transport = TransportConfig::default();
    transport
        .max_concurrent_bidi_streams(streams.into())
        .max_concurrent_uni_streams(VarInt::from_u32(0))
        .receive_window(RECEIVE_WINDOW_BYTES.into())
        .stream_receive_window(STREAM_WINDOW_BYTES.into())
        .send_window(SEND_WINDOW_BYTES)
        .datagram_receive_buffer_size(None)
        .max_idle_timeout(idle.try_into().ok());
    transport
}

/// The node at the other end of `connection`, as its certificate proves.
pub(super) fn peer(connection: &Connection) -> Option<NodeId> {
    let certificates = connection.peer_identity()?.downcast::<Vec<CertificateDer<'static>>>().ok()?;
    let certificate = libp2p_tls::certificate::parse(certificates.first()?).ok()?;
    NodeId::try_from(certificate.peer_id()).ok()
}

/// A UDP socket with large buffers, as far as the system allows.
pub(super) fn socket(bind: SocketAddr) -> std::io::Result<std::net::UdpSocket> {
    const BUFFER_BYTES: usize = 4 << 20;
    let domain = socket2::Domain::for_address(bind);
    let socket = socket2::Socket::new(domain, socket2::Type::DGRAM, Some(socket2::Protocol::UDP))?;
    // A smaller buffer than asked for costs throughput, not correctness.
    let _ = socket.set_recv_buffer_size(BUFFER_BYTES);
    let _ = socket.set_send_buffer_size(BUFFER_BYTES);
    socket.set_nonblocking(true)?;
    // IPv4 has a socket of its own, which may have the same port.
    if bind.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.bind(&bind.into())?;
    Ok(socket.into())
}
