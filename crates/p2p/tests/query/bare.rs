//! The protocol without our client or server: quinn and libp2p's certificates, and any bytes that a test chooses.

use std::{net::SocketAddr, sync::Arc};

use bytes::BytesMut;
use nervure_primitives::{MeshId, NodeKey};
use nervure_protocol::query::Frame;
use quinn::{
    Connection, Endpoint, TransportConfig, VarInt,
    crypto::rustls::{QuicClientConfig, QuicServerConfig},
};

use crate::mesh::{MESH, loopback};

fn alpn(mesh: MeshId) -> Vec<Vec<u8>> {
    vec![format!("nervure-query/1/{mesh}").into_bytes()]
}

/// A client endpoint; `stream_window` is what it lets the server send on a stream.
pub(crate) fn client(key: &NodeKey, mesh: MeshId, stream_window: Option<u32>) -> Endpoint {
    let mut tls = libp2p_tls::make_client_config(&key.libp2p_keypair(), None).unwrap();
    tls.alpn_protocols = alpn(mesh);
    let mut config = quinn::ClientConfig::new(Arc::new(QuicClientConfig::try_from(tls).unwrap()));
    let mut transport = TransportConfig::default();
    transport.keep_alive_interval(Some(std::time::Duration::from_secs(1)));
    if let Some(window) = stream_window {
        transport.stream_receive_window(VarInt::from_u32(window));
    }
    config.transport_config(Arc::new(transport));
    let mut endpoint = Endpoint::client(loopback(0)).unwrap();
    endpoint.set_default_client_config(config);
    endpoint
}

/// A connection with `key` in the usual mesh. The caller has to keep the endpoint.
pub(crate) async fn connect(key: &NodeKey, to: SocketAddr) -> (Endpoint, Connection) {
    let endpoint = client(key, MESH, None);
    let connection = endpoint.connect(to, "anything").unwrap().await.unwrap();
    (endpoint, connection)
}

/// A server endpoint that lets askers open `streams` at once.
pub(crate) fn server(key: &NodeKey, streams: u32) -> Endpoint {
    let mut tls = libp2p_tls::make_server_config(&key.libp2p_keypair()).unwrap();
    tls.alpn_protocols = alpn(MESH);
    let mut config = quinn::ServerConfig::with_crypto(Arc::new(QuicServerConfig::try_from(tls).unwrap()));
    let mut transport = TransportConfig::default();
    transport.max_concurrent_bidi_streams(streams.into());
    config.transport_config(Arc::new(transport));
    Endpoint::server(config, loopback(0)).unwrap()
}

/// What a hostile server does after its bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Then {
    /// It finishes the stream.
    Finish,
    /// It sends nothing more, and keeps the stream open.
    Wait,
}

/// Answers every query on `endpoint` with `bytes`, for as long as the runtime lives.
pub(crate) fn answer_with(endpoint: &Endpoint, bytes: Vec<u8>, then: Then) {
    let endpoint = endpoint.clone();
    tokio::spawn(async move {
        let mut kept = Vec::new();
        while let Some(incoming) = endpoint.accept().await {
            let connection = incoming.await.unwrap();
            while let Ok((mut send, mut receive)) = connection.accept_bi().await {
                let _ = receive.read_to_end(1 << 20).await;
                let _ = send.write_all(&bytes).await;
                match then {
                    Then::Finish => send.finish().unwrap(),
                    Then::Wait => kept.push(send),
                }
            }
        }
    });
}

/// The bytes of `frames`.
pub(crate) fn bytes(frames: &[Frame]) -> Vec<u8> {
    let mut bytes = BytesMut::new();
    for frame in frames {
        frame.encode(&mut bytes).unwrap();
    }
    bytes.to_vec()
}

/// A header of a frame of `kind`.
pub(crate) fn header(kind: u8, length: u32) -> Vec<u8> {
    [&[kind][..], &length.to_be_bytes()].concat()
}
