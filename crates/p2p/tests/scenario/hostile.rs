//! Peers that break the protocols on purpose.

use std::time::Duration;

use futures::{AsyncReadExt, AsyncWriteExt, StreamExt};
use libp2p::{
    Multiaddr, PeerId, StreamProtocol, Swarm, SwarmBuilder, identify,
    kad::{self, store::MemoryStore},
    multiaddr::Protocol,
    swarm::{NetworkBehaviour, SwarmEvent},
};
use nervure_p2p::{InboundRequest, ProtocolSpec};
use nervure_primitives::{Hash, NodeKey};
use tokio::sync::mpsc;

use crate::cluster::{Mesh, Node, eventually};

const ECHO: &str = "echo/1";
const MAX: usize = 1000;

#[derive(NetworkBehaviour)]
struct Raw {
    stream: libp2p_stream::Behaviour,
    identify: identify::Behaviour,
    kad: kad::Behaviour<MemoryStore>,
}

/// A swarm of libp2p's own parts, for this mesh.
fn raw(mesh: &Mesh, key: &NodeKey) -> Swarm<Raw> {
    let keys = key.libp2p_keypair();
    let peer = keys.public().to_peer_id();
    let dht = StreamProtocol::try_from_owned(format!("/nervure/{}/kad/1", mesh.id.short())).unwrap();
    let mut kad = kad::Behaviour::with_config(peer, MemoryStore::new(peer), kad::Config::new(dht));
    kad.set_mode(Some(kad::Mode::Server));
    let identify = identify::Config::new(format!("/nervure/{}", mesh.id), keys.public());
    let behaviour =
        Raw { stream: libp2p_stream::Behaviour::new(), identify: identify::Behaviour::new(identify), kad };
    SwarmBuilder::with_existing_identity(keys)
        .with_tokio()
        .with_quic()
        .with_behaviour(|_| behaviour)
        .unwrap()
        .with_swarm_config(|config| config.with_idle_connection_timeout(Duration::from_secs(60)))
        .build()
}

/// A node that serves [`ECHO`] with a short timeout.
fn victim(mesh: &Mesh) -> (Node, mpsc::Receiver<InboundRequest>) {
    let (sender, requests) = mpsc::channel(64);
    let mut config = mesh.config(1);
    let timeout = Duration::from_secs(1);
    config.protocols = vec![ProtocolSpec { max_request: MAX, timeout, ..ProtocolSpec::new(ECHO) }];
    config.requests = Some(sender);
    (mesh.start(config), requests)
}

/// The victim's answer to `bytes` on a stream that stays open without further data; and its counts of failed and
/// received requests.
async fn sent(bytes: &[u8]) -> (Vec<u8>, u64, u64) {
    let mesh = Mesh::new(1);
    let (victim, _requests) = victim(&mesh);
    let mut swarm = raw(&mesh, &NodeKey::from_seed(&[2; 32]));
    let mut control = swarm.behaviour().stream.new_control();
    swarm.dial(victim.address().await).unwrap();
    let driver = tokio::spawn(async move { while swarm.next().await.is_some() {} });
    let name = StreamProtocol::try_from_owned(format!("/nervure/{}/request/1", mesh.id.short())).unwrap();
    let mut stream = None;
    eventually("the stream opens", async || {
        stream = control.open_stream(victim.id().peer_id(), name.clone()).await.ok();
        stream.is_some()
    })
    .await;
    let mut stream = stream.unwrap();
    stream.write_all(bytes).await.unwrap();
    stream.flush().await.unwrap();
    let mut answer = Vec::new();
    // The victim has to end the stream; otherwise this waits until the test runner's timeout.
    let _ = stream.read_to_end(&mut answer).await;
    eventually("the broken request is counted, or handed in", async || {
        let status = victim.status().await;
        status.requests_failed + status.requests_received > 0
    })
    .await;
    driver.abort();
    let status = victim.status().await;
    (answer, status.requests_failed, status.requests_received)
}

#[tokio::test]
async fn a_request_that_stops_half_way_times_out() {
    assert_eq!(sent(b"\x06echo/1\0\0\0\x04da").await, (Vec::new(), 1, 0));
}

#[tokio::test]
async fn a_peer_that_says_nothing_times_out() {
    assert_eq!(sent(b"\x06ec").await, (Vec::new(), 1, 0));
}

#[tokio::test]
async fn an_announced_length_beyond_the_bound_is_refused_at_once() {
    assert_eq!(sent(b"\x06echo/1\xff\xff\xff\xff").await, (Vec::new(), 1, 0));
}

#[tokio::test]
async fn random_bytes_are_refused() {
    assert_eq!(sent(&[0xff; 300]).await, (Vec::new(), 1, 0));
}

#[tokio::test]
async fn a_whole_request_is_handed_in() {
    let (_, failed, received) = sent(b"\x06echo/1\0\0\0\x04data").await;
    assert!(received == 1 && failed <= 1, "no node answers it, so it fails later: {failed}");
}

/// Runs a lying DHT server until the test ends, and returns its address.
async fn liar(mesh: &Mesh, key: &NodeKey, friend: (PeerId, Multiaddr)) -> Multiaddr {
    let mut swarm = raw(mesh, key);
    swarm.behaviour_mut().kad.add_address(&friend.0, friend.1);
    swarm.listen_on("/ip4/127.0.0.1/udp/0/quic-v1".parse().unwrap()).unwrap();
    let address = loop {
        if let SwarmEvent::NewListenAddr { address, .. } = swarm.select_next_some().await {
            break address;
        }
    };
    swarm.add_external_address(address.clone());
    let own = *swarm.local_peer_id();
    tokio::spawn(async move { while swarm.next().await.is_some() {} });
    address.with(Protocol::P2p(own))
}

#[tokio::test]
async fn a_registered_liar_cannot_make_strangers_responsible() {
    let mesh = Mesh::new(1);
    let stranger = mesh.start(mesh.stranger(3));
    let key = NodeKey::from_seed(&[2; 32]);
    mesh.registered.add(key.node_id());
    let address = liar(&mesh, &key, (stranger.id().peer_id(), stranger.address().await)).await;
    let mut config = mesh.config(1);
    config.bootstrap = vec![address];
    let node = mesh.start(config);
    eventually("the liar is in the routing table", async || node.status().await.routing_table == 1).await;
    let found = node.handle.closest(Hash::of("test", &[])).await.unwrap();
    assert_eq!(found, [key.node_id()], "the liar itself, and not its friend");
    assert!(
        node.is_connected_to(stranger.id()).await,
        "the lookup asked the stranger, because the liar named it"
    );
}
