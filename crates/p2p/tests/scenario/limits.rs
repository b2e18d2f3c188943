//! Connections are bounded in number and by memory, and refusals are counted.

use crate::cluster::{Mesh, Node, eventually};

/// A host with this change to its settings, and five nodes that dial it.
async fn crowd(change: impl FnOnce(&mut nervure_p2p::NetworkConfig)) -> (Node, Vec<Node>) {
    let mesh = Mesh::new(1);
    let mut config = mesh.config(1);
    change(&mut config);
    let host = mesh.start(config);
    let address = host.address().await;
    let guests = (2..7).map(|seed| {
        let mut config = mesh.config(seed);
        config.bootstrap = vec![address.clone()];
        mesh.start(config)
    });
    (host, guests.collect())
}

#[tokio::test]
async fn connections_beyond_the_limit_are_refused() {
    let (host, _guests) = crowd(|config| config.connections = 4).await;
    eventually("a connection is refused", async || host.status().await.connections_refused >= 2).await;
    eventually("the others are connected", async || host.status().await.connected >= 3).await;
    let inbound = host.handle.peers().await.unwrap().iter().filter(|peer| peer.inbound).count();
    assert!(inbound <= 3, "a quarter is kept for outbound connections: {inbound}");
}

#[tokio::test]
async fn connections_beyond_the_memory_limit_are_refused() {
    let (host, _guests) = crowd(|config| config.max_memory = Some(1)).await;
    eventually("all are refused", async || host.status().await.connections_refused >= 5).await;
    assert_eq!(host.status().await.connected, 0);
}

#[tokio::test]
async fn without_the_limits_all_connect() {
    let (host, guests) = crowd(|_| ()).await;
    eventually("all are in", async || host.status().await.connected == 5).await;
    assert_eq!((host.status().await.connections_refused, guests.len()), (0, 5));
}
