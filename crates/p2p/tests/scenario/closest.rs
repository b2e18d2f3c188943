//! The DHT names the nodes that are responsible for a key.

use libp2p::kad::KBucketKey;
use nervure_primitives::{Hash, NodeId};

use crate::cluster::{Mesh, eventually};

/// All of `nodes` but `asker`, closest to `key` first.
fn expected(key: Hash, nodes: &[NodeId], asker: NodeId) -> Vec<NodeId> {
    let target = KBucketKey::new(key.as_bytes().to_vec());
    let mut nodes: Vec<_> = nodes.iter().copied().filter(|node| *node != asker).collect();
    nodes.sort_by_key(|node| target.distance(&KBucketKey::from(node.peer_id())));
    nodes
}

#[tokio::test]
async fn all_nodes_find_the_same_nodes_in_the_same_order() {
    let mesh = Mesh::new(1);
    let nodes = mesh.star(12).await;
    let ids: Vec<_> = nodes.iter().map(|node| node.id()).collect();
    for key in [b"one", b"two"].map(|name| Hash::of("test/closest", &[name])) {
        for asker in [&nodes[0], &nodes[5], &nodes[11]] {
            let wanted = expected(key, &ids, asker.id());
            eventually("the lookup finds all of them", async || {
                asker.handle.closest(key).await.unwrap() == wanted
            })
            .await;
        }
    }
}

#[tokio::test]
async fn a_node_without_peers_finds_no_nodes() {
    let mesh = Mesh::new(1);
    let node = mesh.start(mesh.config(1));
    assert_eq!(node.handle.closest(Hash::of("test/closest", &[b"one"])).await.unwrap(), Vec::new());
}
