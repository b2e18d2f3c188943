//! The bootstrap node restarts, and the nodes that use it reconnect.

use crate::cluster::{Mesh, eventually};

#[tokio::test]
async fn a_restarted_bootstrap_node_is_reconnected() {
    let mesh = Mesh::new(1);
    let first = mesh.start(mesh.config(1));
    let id = first.id();
    let mut config = mesh.config(2);
    config.bootstrap = vec![first.address().await];
    let other = mesh.start(config);
    eventually("they meet", async || other.is_connected_to(id).await).await;

    let again = mesh.restart(first, mesh.config(1)).await;
    eventually("they are connected again", async || again.is_connected_to(other.id()).await).await;
    eventually("and both know", async || other.is_connected_to(id).await).await;
}
