//! A restarted node finds its mesh without its bootstrap node.

use crate::cluster::{Mesh, eventually};

#[tokio::test]
async fn stored_nodes_are_dialled_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("peers");
    let mesh = Mesh::new(1);
    let friend = mesh.start(mesh.config(1));
    let mut config = mesh.config(2);
    config.bootstrap = vec![friend.address().await];
    config.peer_store = Some(path.clone());
    let node = mesh.start(config.clone());
    eventually("the friend is in the peer store", async || node.status().await.known == 1).await;
    drop(node);
    eventually("it is written at the end", async || path.exists()).await;

    config.bootstrap.clear();
    let again = mesh.start(config.clone());
    assert_eq!(again.status().await.known, 1);
    eventually("it finds the friend by itself", async || again.is_connected_to(friend.id()).await).await;
    drop(again);

    config.peer_store = None;
    let forgetful = mesh.start(config);
    assert_eq!(forgetful.status().await.known, 0, "without the file it knows no nodes");
}

#[tokio::test]
async fn a_node_starts_with_a_corrupt_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("peers");
    std::fs::write(&path, b"not a peer store").unwrap();
    let mesh = Mesh::new(1);
    let mut config = mesh.config(1);
    config.peer_store = Some(path.clone());
    let node = mesh.start(config);
    assert_eq!(node.status().await.known, 0);
    assert!(!path.exists() && folder.path().join("peers.corrupt").exists());
}
