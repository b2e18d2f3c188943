//! The bootstrap node goes and comes back: those who began with it find it again.

use crate::cluster::{Mesh, eventually};

#[tokio::test]
async fn it_is_reconnected() {
    let mesh = Mesh::new(1);
    let first = mesh.start(mesh.config(1));
    let (id, address) = (first.id(), first.address().await);
    let mut config = mesh.config(2);
    config.bootstrap = vec![address.clone()];
    let other = mesh.start(config);
    eventually("they meet", async || other.is_connected_to(id).await).await;

    drop(first);
    eventually("the loss is seen", async || !other.is_connected_to(id).await).await;

    let mut config = mesh.config(1);
    config.listen = vec![address.iter().take(3).collect()];
    let mut again = None;
    eventually("the port is free again", async || {
        again = mesh.try_start(config.clone()).ok();
        again.is_some()
    })
    .await;
    eventually("they meet again", async || other.is_connected_to(id).await).await;
}
