//! A stranger floods a node with lookups, or sends requests that no node of a mesh sends.

use std::time::Duration;

use futures::StreamExt;
use libp2p::{
    Swarm, SwarmBuilder,
    kad::{self, store::MemoryStore},
    swarm::SwarmEvent,
};
use nervure_primitives::{Hash, NodeKey};
use prometheus_client::{encoding::text::encode, registry::Registry};

use crate::cluster::{Mesh, Node, eventually};

/// Lookups of the flood.
const FLOOD: u32 = 400;

/// A rate that even a slow machine exceeds many times.
const LOW_RATE: u32 = 4;

/// Kademlia alone, of a key that is registered nowhere.
fn stranger(mesh: &Mesh) -> Swarm<kad::Behaviour<MemoryStore>> {
    let keys = NodeKey::from_seed(&[2; 32]).libp2p_keypair();
    let peer = keys.public().to_peer_id();
    let name = format!("/nervure/{}/kad/1", mesh.id.short());
    let config = kad::Config::new(libp2p::StreamProtocol::try_from_owned(name).unwrap());
    SwarmBuilder::with_existing_identity(keys)
        .with_tokio()
        .with_quic()
        .with_behaviour(|_| kad::Behaviour::with_config(peer, MemoryStore::new(peer), config))
        .unwrap()
        .with_swarm_config(|config| config.with_idle_connection_timeout(Duration::from_secs(60)))
        .build()
}

/// Requests to the DHT that `node` refused.
fn refused(node: &Node) -> u64 {
    let (mut registry, mut text) = (Registry::default(), String::new());
    node.handle.metrics().register(&mut registry);
    encode(&mut text, &registry).unwrap();
    text.lines().find_map(|line| line.strip_prefix("lookups_refused_total ")).unwrap().parse().unwrap()
}

/// What became of what a stranger began at a node with this rate.
struct Outcome {
    /// Lookups that the stranger finished.
    finished: u32,
    disconnected: bool,
    refused: u64,
}

/// Has a stranger `attack`, until all of its lookups have ended or it is disconnected.
async fn attacked(rate: u32, attack: impl FnOnce(&mut kad::Behaviour<MemoryStore>)) -> Outcome {
    let mesh = Mesh::new(1);
    let mut config = mesh.config(1);
    config.lookups_per_second = rate;
    let victim = mesh.start(config);
    let mut swarm = stranger(&mesh);
    swarm.behaviour_mut().add_address(&victim.id().peer_id(), victim.address().await);
    swarm.dial(victim.id().peer_id()).unwrap();
    while !matches!(swarm.select_next_some().await, SwarmEvent::ConnectionEstablished { .. }) {}
    attack(swarm.behaviour_mut());
    let (mut finished, mut disconnected) = (0, false);
    while finished < FLOOD && !disconnected {
        match swarm.select_next_some().await {
            SwarmEvent::ConnectionClosed { .. } => disconnected = true,
            SwarmEvent::Behaviour(kad::Event::OutboundQueryProgressed { step, .. }) if step.last => {
                finished += 1
            }
            _ => {}
        }
    }
    // The victim still does its work.
    let mut config = mesh.config(9);
    config.bootstrap = vec![victim.address().await];
    let member = mesh.start(config);
    eventually("a member's lookup finds the victim", async || {
        let found = member.handle.closest(Hash::of("key", &[])).await;
        found.is_ok_and(|found| found.contains(&victim.id()))
    })
    .await;
    Outcome { finished, disconnected, refused: refused(&victim) }
}

/// Starts all lookups at once.
fn flood(dht: &mut kad::Behaviour<MemoryStore>) {
    for number in 0..FLOOD {
        dht.get_closest_peers(Hash::of("flood", &[&number.to_be_bytes()]).as_bytes().to_vec());
    }
}

#[tokio::test]
async fn a_flood_of_lookups_is_refused_and_ends_the_connection() {
    let outcome = attacked(LOW_RATE, flood).await;
    assert!(outcome.disconnected && outcome.refused > 0, "{} refused", outcome.refused);
}

#[tokio::test]
async fn without_a_rate_every_lookup_is_answered() {
    let outcome = attacked(u32::MAX, flood).await;
    assert_eq!((outcome.finished, outcome.disconnected, outcome.refused), (FLOOD, false, 0));
}

#[tokio::test]
async fn requests_that_no_node_sends_end_the_connection() {
    let outcome = attacked(u32::MAX, |dht| {
        dht.start_providing(kad::RecordKey::new(b"key")).unwrap();
    })
    .await;
    assert!(outcome.disconnected && outcome.refused > 0);
}
