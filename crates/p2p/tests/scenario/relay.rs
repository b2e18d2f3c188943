//! A node that cannot be reached directly is reached through a relay.

use nervure_p2p::ProtocolSpec;
use tokio::sync::mpsc;

use crate::cluster::{Mesh, eventually};

const ECHO: &str = "echo/1";

#[tokio::test]
async fn a_node_that_listens_only_through_a_relay_is_found_and_answers() {
    let mesh = Mesh::new(1);
    let mut config = mesh.config(1);
    config.reach.relay_server = true;
    let relay = mesh.start(config);
    let address = relay.address().await;

    let (sender, mut requests) = mpsc::channel(8);
    let mut config = mesh.config(2);
    config.listen = vec![format!("{address}/p2p-circuit").parse().unwrap()];
    config.protocols = vec![ProtocolSpec::new(ECHO)];
    config.requests = Some(sender);
    let hidden = mesh.start(config);
    let circuit = hidden.address().await;
    assert!(circuit.to_string().contains("p2p-circuit"), "{circuit}");
    eventually("the relay routes to it", async || relay.status().await.routing_table == 1).await;

    let mut config = mesh.config(3);
    config.bootstrap = vec![address];
    config.protocols = vec![ProtocolSpec::new(ECHO)];
    let asker = mesh.start(config);
    eventually("the relay is in the asker's routing table", async || asker.status().await.routing_table >= 1)
        .await;
    let serve = async {
        let request = requests.recv().await.unwrap();
        assert_eq!(request.from, asker.id(), "proved end to end, not by the relay");
        request.respond(b"here".to_vec()).await;
    };
    let ask = asker.handle.request(hidden.id(), ECHO, Vec::new());
    assert_eq!(tokio::join!(ask, serve).0.unwrap(), b"here");
    let peers = asker.handle.peers().await.unwrap();
    let seen = peers.iter().find(|peer| peer.node == hidden.id()).unwrap();
    assert!(seen.address.to_string().contains("p2p-circuit"), "{}", seen.address);
}

#[tokio::test]
async fn a_relayed_connection_is_replaced_by_a_direct_one() {
    let mesh = Mesh::new(1);
    let mut config = mesh.config(1);
    config.reach.relay_server = true;
    let relay = mesh.start(config);
    let behind_the_relay = format!("{}/p2p-circuit", relay.address().await);
    let mut config = mesh.config(2);
    config.listen.push(behind_the_relay.parse().unwrap());
    config.reach.hole_punching = true;
    // Nodes then learn their addresses from other nodes, as in a public mesh.
    config.reach.autonat = true;
    let hidden = mesh.start(config);
    let mut circuit = None;
    eventually("it listens at the relay", async || {
        let listening = hidden.status().await.listening;
        circuit = listening.into_iter().find(|address| address.to_string().contains("p2p-circuit"));
        circuit.is_some()
    })
    .await;

    let mut config = mesh.config(3);
    config.bootstrap = vec![circuit.unwrap()];
    config.reach.hole_punching = true;
    config.reach.autonat = true;
    let asker = mesh.start(config);
    eventually("a direct connection is established", async || {
        let peers = asker.handle.peers().await.unwrap();
        let seen = peers.iter().find(|peer| peer.node == hidden.id());
        seen.is_some_and(|peer| !peer.address.to_string().contains("p2p-circuit"))
    })
    .await;
    eventually("it is counted", async || hidden.status().await.holes_punched > 0).await;
}

#[tokio::test]
async fn a_restarted_relay_is_asked_for_a_reservation_again() {
    let mesh = Mesh::new(1);
    let mut config = mesh.config(1);
    config.reach.relay_server = true;
    let relay = mesh.start(config.clone());
    let address = relay.address().await;
    let mut hidden = mesh.config(2);
    hidden.listen = vec![format!("{address}/p2p-circuit").parse().unwrap()];
    let hidden = mesh.start(hidden);
    hidden.address().await;

    let relay = mesh.restart(relay, config).await;
    eventually("they are connected again", async || relay.is_connected_to(hidden.id()).await).await;
    hidden.address().await;
    eventually("the relay routes to it", async || relay.status().await.routing_table == 1).await;
}

#[tokio::test]
async fn a_node_that_is_not_a_relay_refuses_reservations() {
    let mesh = Mesh::new(1);
    let not_a_relay = mesh.start(mesh.config(1));
    let mut config = mesh.config(2);
    config.listen = vec![format!("{}/p2p-circuit", not_a_relay.address().await).parse().unwrap()];
    let hidden = mesh.start(config);
    eventually("it was asked", async || not_a_relay.is_connected_to(hidden.id()).await).await;
    // The reservation is answered before the later lookup, so it was refused by then.
    hidden.handle.closest(nervure_primitives::Hash::of("test", &[])).await.unwrap();
    assert!(hidden.status().await.listening.is_empty());
}
