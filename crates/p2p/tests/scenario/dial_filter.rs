//! A node of a public mesh does not dial loopback addresses that other nodes name; it dials those of its operator.

use nervure_p2p::AddressScope;
use nervure_primitives::Hash;

use crate::cluster::{Mesh, Node, eventually};

/// A hub that knows another node, and a third node of this scope that knows only the hub.
async fn told_of_loopback(scope: AddressScope) -> (Node, [Node; 2]) {
    let mesh = Mesh::new(1);
    let mut config = mesh.config(1);
    // A global address (a sink for reverse lookups), which a public node admits to its routing table. All nodes are
    // connected to the hub, so none dials it.
    config.external = vec!["/ip4/192.31.196.1/udp/9/quic-v1".parse().unwrap()];
    let hub = mesh.start(config);
    let mut config = mesh.config(2);
    config.bootstrap = vec![hub.address().await];
    let other = mesh.start(config);
    eventually("the hub knows the other", async || hub.status().await.routing_table == 1).await;
    let mut config = mesh.config(3);
    config.scope = scope;
    config.reach.upnp = false;
    config.bootstrap = vec![hub.address().await];
    let node = mesh.start(config);
    eventually("it is connected to the hub", async || node.is_connected_to(hub.id()).await).await;
    (node, [hub, other])
}

#[tokio::test]
async fn a_public_node_refuses_and_counts() {
    let (node, [hub, other]) = told_of_loopback(AddressScope::Public).await;
    eventually("the hub is in the routing table", async || node.status().await.routing_table == 1).await;
    eventually("the lookup leads to loopback, and is refused", async || {
        node.handle.closest(Hash::of("test", &[])).await.unwrap();
        node.status().await.dials_refused > 0
    })
    .await;
    let found = node.handle.closest(Hash::of("test", &[])).await.unwrap();
    assert_eq!(found, [hub.id()]);
    assert!(!node.is_connected_to(other.id()).await);
}

#[tokio::test]
async fn a_local_node_dials_it() {
    let (node, [_hub, other]) = told_of_loopback(AddressScope::Local).await;
    assert_eq!(node.status().await.dials_refused, 0);
    eventually("the lookup leads to loopback", async || {
        node.handle.closest(Hash::of("test", &[])).await.unwrap().contains(&other.id())
    })
    .await;
}
