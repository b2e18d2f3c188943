//! The baseline: quinn alone, with a stream per request, no frames, and no limits but quinn's own.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
};

use anyhow::Context;
use nervure_primitives::NodeKey;
use quinn::{
    ClientConfig, Connection, Endpoint, EndpointConfig, ServerConfig, TokioRuntime, TransportConfig,
    crypto::rustls::{QuicClientConfig, QuicServerConfig},
};

use super::{PAYLOAD_BYTES, load::EchoClient};
use crate::process::ServerHello;

/// Longest request that is read, in bytes.
const MAX_REQUEST_BYTES: usize = 64 * 1024;

/// Streams at once, as many as the query plane allows.
const MAX_STREAMS: u32 = 256;

/// The first byte of a request: echo it, or stream as many chunks as the next four bytes say.
const ECHO: u8 = 0;
const STREAM: u8 = 1;

/// The name that TLS wants and libp2p's verifier ignores.
const SERVER_NAME: &str = "bench";

fn transport() -> Arc<TransportConfig> {
    let mut transport = TransportConfig::default();
    transport.max_concurrent_bidi_streams(MAX_STREAMS.into());
    transport.receive_window((4u32 << 20).into());
    transport.stream_receive_window((1u32 << 20).into());
    Arc::new(transport)
}

fn endpoint(server: Option<ServerConfig>) -> anyhow::Result<Endpoint> {
    let socket = std::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    let socket = socket2::Socket::from(socket);
    // As large as the query plane's; smaller ones cost throughput only.
    let _ = socket.set_recv_buffer_size(4 << 20);
    let _ = socket.set_send_buffer_size(4 << 20);
    Ok(Endpoint::new(EndpointConfig::default(), server, socket.into(), Arc::new(TokioRuntime))?)
}

/// A server on a free port of loopback, on the current runtime.
pub(crate) fn serve(key: &NodeKey) -> anyhow::Result<SocketAddr> {
    let tls = libp2p_tls::make_server_config(&key.libp2p_keypair())?;
    let mut config = ServerConfig::with_crypto(Arc::new(QuicServerConfig::try_from(tls)?));
    config.transport_config(transport());
    let endpoint = endpoint(Some(config))?;
    let address = endpoint.local_addr()?;
    tokio::spawn(async move {
        while let Some(incoming) = endpoint.accept().await {
            tokio::spawn(async move {
                // A client that disconnects is not an error.
                let _ = connection(incoming).await;
            });
        }
    });
    Ok(address)
}

async fn connection(incoming: quinn::Incoming) -> anyhow::Result<()> {
    let connection = incoming.await?;
    loop {
        let (mut send, mut receive) = connection.accept_bi().await?;
        tokio::spawn(async move {
            let request = receive.read_to_end(MAX_REQUEST_BYTES).await?;
            match request.split_first() {
                Some((&STREAM, count)) => {
                    let count = u32::from_be_bytes(count.try_into()?);
                    for _ in 0..count {
                        send.write_all(&[7; PAYLOAD_BYTES]).await?;
                    }
                }
                _ => send.write_all(&request).await?,
            }
            send.finish()?;
            anyhow::Ok(())
        });
    }
}

/// A client of such a server.
pub(crate) struct QuinnEcho {
    endpoint: Endpoint,
    config: ClientConfig,
    server: SocketAddr,
    connection: tokio::sync::OnceCell<Connection>,
}

impl QuinnEcho {
    /// On the current runtime.
    pub(crate) fn connect(server: &ServerHello) -> anyhow::Result<Self> {
        let key = NodeKey::generate().context("no randomness")?;
        let tls = libp2p_tls::make_client_config(&key.libp2p_keypair(), Some(server.node.peer_id()))?;
        let mut config = ClientConfig::new(Arc::new(QuicClientConfig::try_from(tls)?));
        config.transport_config(transport());
        Ok(Self { endpoint: endpoint(None)?, config, server: server.address, connection: Default::default() })
    }

    async fn dial(&self) -> anyhow::Result<Connection> {
        Ok(self.endpoint.connect_with(self.config.clone(), self.server, SERVER_NAME)?.await?)
    }

    async fn shared_connection(&self) -> anyhow::Result<&Connection> {
        self.connection.get_or_try_init(|| self.dial()).await
    }
}

async fn send_request(connection: &Connection, request: &[u8], expected: usize) -> anyhow::Result<()> {
    let (mut send, mut receive) = connection.open_bi().await?;
    send.write_all(request).await?;
    send.finish()?;
    let answer = receive.read_to_end(expected).await?;
    anyhow::ensure!(answer.len() == expected, "{} of {expected} bytes came back", answer.len());
    Ok(())
}

impl EchoClient for QuinnEcho {
    async fn echo(&self, payload: &[u8]) -> anyhow::Result<()> {
        let mut request = Vec::with_capacity(payload.len() + 1);
        request.push(ECHO);
        request.extend_from_slice(payload);
        send_request(self.shared_connection().await?, &request, request.len()).await
    }

    async fn stream(&self, chunks: u32) -> anyhow::Result<()> {
        let mut request = vec![STREAM];
        request.extend_from_slice(&chunks.to_be_bytes());
        send_request(self.shared_connection().await?, &request, PAYLOAD_BYTES * chunks as usize).await
    }

    async fn handshake(&self) -> anyhow::Result<()> {
        let connection = self.dial().await?;
        send_request(&connection, &[ECHO], 1).await?;
        connection.close(0u32.into(), b"");
        Ok(())
    }
}
