//! Limits on connections: too many are refused, and addresses have to prove themselves under load.

use std::num::NonZeroUsize;

use nervure_p2p::query::{ClientConfig, QueryClient, QueryError};

use crate::mesh::{Does, MESH, Node, ask, client, key, server_config};

#[tokio::test]
async fn under_load_addresses_prove_themselves_and_beyond_the_limit_nobody_enters() {
    let mut config = server_config();
    config.connections = NonZeroUsize::new(4).unwrap();
    let node = Node::start(config);
    let mut inside = Vec::new();
    for number in 10..14 {
        let client = client(number);
        ask(&client, node.id, node.at, Does::Stream(1, 10)).await.unwrap();
        inside.push(client);
    }
    assert!(node.count(|counters| &counters.retried) > 0, "over half of the limit, a Retry");
    let mut config = ClientConfig::new(key(20), MESH);
    config.connect = std::time::Duration::from_millis(500);
    let late = QueryClient::start(config).unwrap();
    let refused = ask(&late, node.id, node.at, Does::Stream(1, 10)).await;
    assert!(matches!(refused, Err(QueryError::Unreachable { .. })), "{refused:?}");
    assert!(node.count(|counters| &counters.refused) > 0);
    for client in &inside {
        ask(client, node.id, node.at, Does::Stream(1, 10)).await.unwrap();
    }
    drop(inside);
    // Each takes leave with its connection.
    for _ in 0..300 {
        if ask(&late, node.id, node.at, Does::Stream(1, 10)).await.is_ok() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("places were not given back");
}

#[tokio::test]
async fn without_load_nobody_has_to_prove_anything() {
    let node = Node::start(server_config());
    ask(&client(2), node.id, node.at, Does::Stream(1, 10)).await.unwrap();
    assert_eq!(node.count(|counters| &counters.retried), 0);
}
