//! Who is who: another mesh, another node, a stranger.

use std::{collections::BTreeSet, num::NonZeroU32};

use nervure_p2p::query::{ClientConfig, QueryClient, QueryError, QueryErrorCode};
use nervure_primitives::MeshId;

use crate::mesh::{Does, Node, Registry, ask, client, key, server_config};

#[tokio::test]
async fn a_node_of_another_mesh_is_refused_in_the_handshake() {
    let node = Node::start(server_config());
    let elsewhere = MeshId::from_bytes([8; 32]);
    let stranger = QueryClient::start(ClientConfig::new(key(2), elsewhere)).unwrap();
    let refused = ask(&stranger, node.id, node.at, Does::Stream(1, 10)).await;
    assert!(matches!(refused, Err(QueryError::Unreachable { .. })), "{refused:?}");
    assert_eq!(node.count(|counters| &counters.connections), 0);
    node.serves().await;
}

#[tokio::test]
async fn somebody_else_at_the_address_gets_no_question() {
    let node = Node::start(server_config());
    let meant = key(50).node_id();
    let refused = ask(&client(2), meant, node.at, Does::Stream(1, 10)).await;
    assert!(matches!(refused, Err(QueryError::WrongNode { node }) if node == meant), "{refused:?}");
    assert_eq!(node.count(|counters| &counters.queries), 0);
}

#[tokio::test]
async fn a_stranger_is_limited_and_a_registered_node_is_not() {
    let mut config = server_config();
    config.rate_stranger = NonZeroU32::new(5).unwrap();
    let registered = BTreeSet::from([key(2).node_id()]);
    let node = Node::admitting(config, Registry(Some(registered)));
    let (member, stranger) = (client(2), client(3));
    let mut refused = 0;
    for _ in 0..40 {
        ask(&member, node.id, node.at, Does::Stream(1, 10)).await.unwrap();
        match ask(&stranger, node.id, node.at, Does::Stream(1, 10)).await {
            Ok(_) => {}
            Err(QueryError::Refused { code: QueryErrorCode::RateLimited, retry_after: Some(_), .. }) => {
                refused += 1
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(refused > 0);
    assert_eq!(node.count(|counters| &counters.rate_limited), refused);
}
