//! The query plane as miners and gateways run it, with a service that echoes.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
};

use anyhow::Context;
use bytes::Bytes;
use futures::{FutureExt, future::BoxFuture};
use nervure_p2p::{
    Admission,
    query::{
        ClientConfig, InboundQuery, QueryClient, QueryEnd, QueryErrorCode, QueryItem, QueryOpen, QueryServer,
        QueryService, ServerConfig,
    },
};
use nervure_primitives::{Amount, Capability, MeshId, Netuid, NodeId, NodeKey};
use nervure_protocol::{AskerClass, AskerStanding, FinishReason, Usage};

use super::{PAYLOAD_BYTES, load::EchoClient};
use crate::process::ServerHello;

/// The mesh that server and client are in; no other node knows it.
const MESH: MeshId = MeshId::from_bytes([0xBE; 32]);

/// A body of this length is the number of chunks to stream; any other is echoed.
const STREAM_REQUEST_BYTES: usize = 4;

struct AllowAll;

impl Admission for AllowAll {
    fn is_registered(&self, _: &NodeId) -> bool {
        true
    }

    fn standing(&self, _: &NodeId) -> AskerStanding {
        AskerStanding::of(AskerClass::Validator)
    }
}

struct Echo;

impl QueryService for Echo {
    fn serve(&self, query: InboundQuery) -> BoxFuture<'static, ()> {
        let InboundQuery { open, mut reply, .. } = query;
        async move {
            match <[u8; STREAM_REQUEST_BYTES]>::try_from(open.body.as_slice()) {
                Ok(count) => {
                    let chunk = Bytes::from_static(&[7; PAYLOAD_BYTES]);
                    for _ in 0..u32::from_be_bytes(count) {
                        if reply.send(chunk.clone()).await.is_err() {
                            return;
                        }
                    }
                }
                Err(_) if reply.queue(open.body.into()).is_err() => {
                    return reply.refuse(QueryErrorCode::BadRequest, "too long".into(), None).await;
                }
                Err(_) => {}
            }
            reply.end(QueryEnd::new(Usage::default(), FinishReason::Stop)).await;
        }
        .boxed()
    }
}

/// A server on a free port of loopback.
pub(crate) fn serve(key: NodeKey) -> anyhow::Result<QueryServer> {
    let mut config = ServerConfig::new(key, MESH, [(Ipv4Addr::LOCALHOST, 0).into()]);
    // The rate is still counted, but never reached: the default is below what one client can send.
    config.classes.of_mut(AskerClass::Validator).rate = std::num::NonZeroU32::MAX;
    Ok(QueryServer::start(config, Arc::new(AllowAll), Arc::new(Echo))?)
}

/// A client of such a server.
pub(crate) struct NervureEcho {
    client: QueryClient,
    node: NodeId,
    server: SocketAddr,
    capability: Capability,
}

impl NervureEcho {
    /// On the current runtime.
    pub(crate) fn connect(server: &ServerHello) -> anyhow::Result<Self> {
        let key = NodeKey::generate().context("no randomness")?;
        let client = QueryClient::here(ClientConfig::new(key, MESH))?;
        let capability = Capability::new("text.echo")?;
        Ok(Self { client, node: server.node, server: server.address, capability })
    }

    async fn ask(&self, body: Vec<u8>, expected: usize) -> anyhow::Result<()> {
        let open = QueryOpen {
            netuid: Netuid(1),
            capability: self.capability.clone(),
            expert: None,
            body,
            deadline_ms: 10_000,
            budget: Amount::ZERO,
            name: None,
            hops: 0,
        };
        let mut stream = self.client.open(self.node, &[self.server], open).await?;
        let mut received = 0;
        while let QueryItem::Chunk(chunk) = stream.next().await? {
            received += chunk.len();
        }
        anyhow::ensure!(received == expected, "{received} of {expected} bytes came back");
        Ok(())
    }
}

impl EchoClient for NervureEcho {
    async fn echo(&self, payload: &[u8]) -> anyhow::Result<()> {
        self.ask(payload.to_vec(), payload.len()).await
    }

    async fn stream(&self, chunks: u32) -> anyhow::Result<()> {
        self.ask(chunks.to_be_bytes().to_vec(), PAYLOAD_BYTES * chunks as usize).await
    }

    async fn handshake(&self) -> anyhow::Result<()> {
        self.client.disconnect(&self.node);
        self.ask(vec![1], 1).await
    }
}
