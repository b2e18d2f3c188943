//! Strangers that use up a relay: reservations cost them nothing.

use crate::cluster::{Mesh, Node, eventually};

/// How often the relay refused one of five nodes that listen through it, once a registered node that came last does.
async fn refused(registered: bool) -> u64 {
    let mesh = Mesh::new(1);
    let mut config = mesh.config(1);
    config.reach.relay_server = true;
    config.relay_strangers = 2;
    let relay = mesh.start(config);
    let circuit: nervure_p2p::Multiaddr = format!("{}/p2p-circuit", relay.address().await).parse().unwrap();
    let listens = async |node: &Node| {
        let listening = node.status().await.listening;
        listening.iter().any(|address| address.to_string().contains("p2p-circuit"))
    };
    let mut guests = Vec::new();
    for seed in 2..7 {
        let mut config = if registered { mesh.config(seed) } else { mesh.stranger(seed) };
        config.listen = vec![circuit.clone()];
        guests.push(mesh.start(config));
    }
    eventually("each has a reservation, or was refused", async || {
        let mut held = 0;
        for guest in &guests {
            held += u64::from(listens(guest).await);
        }
        held + relay.status().await.circuits_refused >= 5
    })
    .await;
    let mut config = mesh.config(99);
    config.listen = vec![circuit];
    let member = mesh.start(config);
    eventually("a registered node listens through it", async || listens(&member).await).await;
    relay.status().await.circuits_refused
}

#[tokio::test]
async fn strangers_hold_a_share_of_a_relays_reservations() {
    assert!(refused(false).await >= 3, "two of five");
    assert_eq!(refused(true).await, 0, "the variant in which they are registered");
}
