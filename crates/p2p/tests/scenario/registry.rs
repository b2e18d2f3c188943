//! The registry changes while nodes are connected, and what they may do changes with it.

use nervure_p2p::Verdict;

use crate::cluster::{Mesh, eventually};

#[tokio::test]
async fn a_stranger_that_registers_is_heard_and_enters_the_routing_table() {
    let mesh = Mesh::new(1);
    let mut host = mesh.start(mesh.config(1));
    let mut config = mesh.stranger(2);
    config.bootstrap = vec![host.address().await];
    let guest = mesh.start(config);
    eventually("it is in", async || host.is_connected_to(guest.id()).await).await;
    eventually("it is identified", async || !host.handle.peers().await.unwrap()[0].agent.is_empty()).await;
    assert_eq!(host.status().await.routing_table, 0);
    mesh.registered.add(guest.id());
    eventually("it has a place", async || host.status().await.routing_table == 1).await;
    guest.publish(b"hello").await;
    let message = host.gossip.recv().await.unwrap();
    assert_eq!(message.data, b"hello");
    message.judge(Verdict::Accept).await;
}
