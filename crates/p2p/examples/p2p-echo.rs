//! Two nodes on loopback: one serves a request protocol, the other asks.
//!
//! ```text
//! $ cargo run -p nervure-p2p --example p2p-echo
//! server 12D3KooWK99VoVxNE7XzyBwXEzW7xhK7Gpv85r9F3V3fyKSUKPH5 serves echo/1
//! client 12D3KooWJWoaqZhDaoEFshF7Rh1bpY9ohihFhzcW6d69Lr2NASuq asks: hello, mesh
//! server received 11 bytes from a registered node
//! client received: hello, mesh
//! a request over the limit is refused: the request has 1025 bytes, at most 1024 are allowed
//! a protocol that is not configured is refused: protocol chat/1 is not configured on this node
//! both stopped
//! ```
//!
//! A request protocol has one owner, which gives its name and its bounds, and answers its requests. Both sides configure
//! it, because both enforce the bounds.

use std::{error::Error, io::Write, sync::Arc};

use nervure_p2p::{
    AddressScope, Admission, InboundRequest, Network, NetworkConfig, NetworkHandle, ProtocolSpec,
    RequestError,
};
use nervure_primitives::{MeshId, NodeId, NodeKey};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// The protocol's name, with its version.
const ECHO: &str = "echo/1";

/// Requests that wait for the owner of the protocol; further ones are refused as busy.
const MAX_WAITING: usize = 16;

/// A mesh in which every node is registered.
struct EveryNode;

impl Admission for EveryNode {
    fn is_registered(&self, _: &NodeId) -> bool {
        true
    }
}

/// The protocol with its bounds.
fn echo() -> ProtocolSpec {
    ProtocolSpec { max_request: 1024, max_response: 1024, ..ProtocolSpec::new(ECHO) }
}

/// A node's settings: a free port on loopback, and the protocol.
fn config(seed: u8) -> Result<NetworkConfig, Box<dyn Error>> {
    let key = NodeKey::from_seed(&[seed; 32]);
    let mut config = NetworkConfig::new(key, MeshId::from_bytes([7; 32]), AddressScope::Local);
    config.listen = vec!["/ip4/127.0.0.1/udp/0/quic-v1".parse()?];
    config.protocols = vec![echo()];
    Ok(config)
}

/// Answers requests with their own content, and reports each.
async fn serve(mut requests: mpsc::Receiver<InboundRequest>, served: mpsc::Sender<String>) {
    while let Some(request) = requests.recv().await {
        let who = if request.registered { "a registered node" } else { "a stranger" };
        let line = format!("server received {} bytes from {who}", request.data.len());
        let data = request.data.clone();
        request.respond(data).await;
        if served.send(line).await.is_err() {
            break;
        }
    }
}

/// The first address that `node` listens on. The port is bound when this returns.
async fn address(node: &NetworkHandle) -> Result<nervure_p2p::Multiaddr, Box<dyn Error>> {
    loop {
        if let Some(address) = node.status().await?.listening.first() {
            return Ok(address.clone());
        }
        tokio::task::yield_now().await;
    }
}

/// Starts both nodes, asks, and stops them.
pub(crate) async fn run(out: &mut impl Write) -> Result<(), Box<dyn Error>> {
    let stop = CancellationToken::new();
    let (sender, requests) = mpsc::channel(MAX_WAITING);
    let (served, mut reports) = mpsc::channel(MAX_WAITING);
    let settings = NetworkConfig { requests: Some(sender), ..config(1)? };
    let (server, _gossip) = Network::start(settings, Arc::new(EveryNode), stop.clone())?;
    let owner = tokio::spawn(serve(requests, served));
    writeln!(out, "server {} serves {ECHO}", server.node())?;

    let settings = NetworkConfig { bootstrap: vec![address(&server).await?], ..config(2)? };
    let (client, _gossip) = Network::start(settings, Arc::new(EveryNode), stop.clone())?;
    writeln!(out, "client {} asks: hello, mesh", client.node())?;
    let answer = ask(&client, server.node(), b"hello, mesh").await?;
    writeln!(out, "{}", reports.recv().await.unwrap_or_default())?;
    writeln!(out, "client received: {}", String::from_utf8_lossy(&answer))?;

    if let Err(error) = client.request(server.node(), ECHO, vec![0; 1025]).await {
        writeln!(out, "a request over the limit is refused: {error}")?;
    }
    if let Err(error) = client.request(server.node(), "chat/1", Vec::new()).await {
        writeln!(out, "a protocol that is not configured is refused: {error}")?;
    }

    stop.cancel();
    server.stopped().await;
    client.stopped().await;
    owner.await?;
    writeln!(out, "both stopped")?;
    Ok(())
}

/// Asks again while the client has no connection yet: it dials its bootstrap node in the background.
async fn ask(client: &NetworkHandle, server: NodeId, data: &[u8]) -> Result<Vec<u8>, RequestError> {
    loop {
        match client.request(server, ECHO, data.to_vec()).await {
            Err(RequestError::Unreachable) => tokio::task::yield_now().await,
            answer => return answer,
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    run(&mut std::io::stdout()).await
}
