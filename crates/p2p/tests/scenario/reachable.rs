//! A node learns from others whether it can be reached.

use crate::cluster::{Mesh, eventually};

#[tokio::test]
async fn another_node_dials_back_and_reports_it() {
    let mesh = Mesh::new(1);
    let mut config = mesh.config(1);
    config.reach.autonat = true;
    let server = mesh.start(config);
    let mut config = mesh.config(2);
    config.bootstrap = vec![server.address().await];
    assert!(!config.reach.autonat, "off by default in a local mesh");
    let silent = mesh.start(config.clone());
    drop(silent);
    let mut config = mesh.config(3);
    config.bootstrap = vec![server.address().await];
    config.reach.autonat = true;
    let node = mesh.start(config);
    eventually("it knows", async || node.status().await.reachable == Some(true)).await;
}
