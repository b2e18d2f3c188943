//! Lies to identify: addresses of others, too many of them, another program's name, and new ones all the time.

use std::time::Duration;

use futures::StreamExt;
use libp2p::{
    Multiaddr, Swarm, SwarmBuilder, identify,
    swarm::{NetworkBehaviour, SwarmEvent},
};
use nervure_primitives::NodeKey;

use crate::cluster::{Mesh, eventually};

#[derive(NetworkBehaviour)]
struct Liar {
    identify: identify::Behaviour,
    /// It claims to serve the DHT.
    kad: libp2p::kad::Behaviour<libp2p::kad::store::MemoryStore>,
}

/// A swarm that reports what it likes.
fn liar(mesh: &Mesh, key: &NodeKey, agent: &str) -> Swarm<Liar> {
    let keys = key.libp2p_keypair();
    let peer = keys.public().to_peer_id();
    let name = format!("/nervure/{}/kad/1", mesh.id.short());
    let dht = libp2p::kad::Config::new(libp2p::StreamProtocol::try_from_owned(name).unwrap());
    let store = libp2p::kad::store::MemoryStore::new(peer);
    let mut kad = libp2p::kad::Behaviour::with_config(peer, store, dht);
    kad.set_mode(Some(libp2p::kad::Mode::Server));
    let identify = identify::Config::new(format!("/nervure/{}", mesh.id), keys.public())
        .with_agent_version(agent.to_owned())
        .with_push_listen_addr_updates(true);
    let behaviour = Liar { identify: identify::Behaviour::new(identify), kad };
    SwarmBuilder::with_existing_identity(keys)
        .with_tokio()
        .with_quic()
        .with_behaviour(|_| behaviour)
        .unwrap()
        .with_swarm_config(|config| config.with_idle_connection_timeout(Duration::from_secs(60)))
        .build()
}

/// A registered liar that claims so many addresses, of which none is its own. Returns the entries that the victim has in
/// its table, and what its peers are called there.
async fn claimed(registered: bool, addresses: usize, agent: &str) -> (u32, Vec<String>) {
    let mesh = Mesh::new(1);
    let victim = mesh.start(mesh.config(1));
    let key = NodeKey::from_seed(&[2; 32]);
    if registered {
        mesh.registered.add(key.node_id());
    }
    let mut swarm = liar(&mesh, &key, agent);
    for number in 0..addresses {
        let address: Multiaddr =
            format!("/ip4/10.9.{}.{}/udp/1/quic-v1", number / 250, number % 250).parse().unwrap();
        swarm.add_external_address(address);
    }
    swarm.dial(victim.address().await).unwrap();
    let driver = tokio::spawn(async move {
        loop {
            if let SwarmEvent::Behaviour(LiarEvent::Identify(identify::Event::Sent { peer_id, .. })) =
                swarm.select_next_some().await
            {
                // Again and again.
                swarm.behaviour_mut().identify.push([peer_id]);
            }
        }
    });
    eventually("it is heard", async || {
        victim.handle.peers().await.unwrap().iter().any(|peer| peer.node == key.node_id())
    })
    .await;
    if registered && addresses > 0 {
        eventually("it is in the table", async || victim.status().await.routing_table == 1).await;
    }
    // The victim still does its work.
    let member = {
        let mut config = mesh.config(9);
        config.bootstrap = vec![victim.address().await];
        mesh.start(config)
    };
    eventually("a member gets in", async || victim.is_connected_to(member.id()).await).await;
    eventually("and into the table", async || victim.status().await.routing_table >= 1).await;
    let peers = victim.handle.peers().await.unwrap();
    let named = peers.iter().filter(|peer| peer.node == key.node_id()).map(|peer| peer.agent.to_string());
    let named = named.collect();
    driver.abort();
    (victim.status().await.routing_table, named)
}

#[tokio::test]
async fn a_strangers_claims_enter_no_table() {
    let (strangers, _) = claimed(false, 200, "nervure/9").await;
    assert_eq!(strangers, 1, "the member alone");
    let (variant, _) = claimed(true, 200, "nervure/9").await;
    assert_eq!(variant, 2, "the variant in which it is registered");
}

#[tokio::test]
async fn a_name_that_acts_on_a_terminal_is_cut_and_escaped() {
    let (_, names) = claimed(false, 0, &format!("\u{1b}[31m{}", "x".repeat(2000))).await;
    for name in names {
        assert!(!name.contains('\u{1b}') && name.len() < 300, "{name}");
    }
}
