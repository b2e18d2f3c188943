//! A node of another mesh is disconnected, even with a registered key.

use crate::cluster::{Mesh, eventually};

#[tokio::test]
async fn a_node_of_another_mesh_is_disconnected_and_counted() {
    let (here, there) = (Mesh::new(1), Mesh::new(2));
    let a = here.start(here.config(1));
    let mut config = there.config(2);
    config.bootstrap = vec![a.address().await];
    here.registered.add(config.key.node_id());
    let b = there.start(config);
    eventually("it is recognised", async || a.status().await.wrong_mesh > 0).await;
    eventually("it is gone", async || !a.is_connected_to(b.id()).await).await;
    assert_eq!(a.status().await.routing_table, 0, "it is not in the routing table");
}
