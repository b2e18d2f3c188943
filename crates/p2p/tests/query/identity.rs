//! The mesh and the identity of the other end, proved in the handshake.

use nervure_p2p::query::{ClientConfig, QueryClient, QueryError};
use nervure_primitives::MeshId;

use crate::mesh::{Does, Node, ask, client, key, server_config};

#[tokio::test]
async fn a_client_of_another_mesh_does_not_get_in() {
    let node = Node::start(server_config());
    let other = QueryClient::start(ClientConfig::new(key(2), MeshId::from_bytes([8; 32]))).unwrap();
    let answer = ask(&other, node.id, node.at, Does::Stream(1, 10)).await;
    assert!(matches!(answer, Err(QueryError::Unreachable { .. })), "{answer:?}");
    assert_eq!(node.count(|c| c.queries.get()), 0);
    node.serves().await;
}

#[tokio::test]
async fn another_node_at_the_address_receives_no_query() {
    let (node, client) = (Node::start(server_config()), client(2));
    let expected = key(9).node_id();
    for _ in 0..2 {
        let answer = ask(&client, expected, node.at, Does::Stream(1, 10)).await;
        assert_eq!(answer.unwrap_err(), QueryError::WrongNode { node: expected });
        assert_eq!((node.in_progress(), node.count(|c| c.queries.get())), (0, 0));
    }
    ask(&client, node.id, node.at, Does::Stream(1, 10)).await.unwrap();
    // Also where the client knows the address's true owner already.
    let answer = ask(&client, expected, node.at, Does::Stream(1, 10)).await;
    assert_eq!(answer.unwrap_err(), QueryError::WrongNode { node: expected });
}
