//! Two nodes connect, over either transport.

use crate::cluster::{Mesh, eventually};

async fn meet_over(listen: &str) {
    let mesh = Mesh::new(1);
    let mut config = mesh.config(1);
    config.listen = vec![listen.parse().unwrap()];
    let a = mesh.start(config);
    let mut config = mesh.config(2);
    config.bootstrap = vec![a.address().await];
    let b = mesh.start(config);
    eventually("both see each other", async || {
        a.is_connected_to(b.id()).await && b.is_connected_to(a.id()).await
    })
    .await;
    eventually("each routes to the other", async || {
        a.status().await.routing_table == 1 && b.status().await.routing_table == 1
    })
    .await;
    let seen = &a.handle.peers().await.unwrap()[0];
    assert!(seen.inbound && seen.agent.raw().starts_with("nervure/"));
    assert!(!b.handle.peers().await.unwrap()[0].inbound);
}

#[tokio::test]
async fn over_quic() {
    meet_over("/ip4/127.0.0.1/udp/0/quic-v1").await;
}

#[tokio::test]
async fn over_tcp() {
    meet_over("/ip4/127.0.0.1/tcp/0").await;
}
