//! Answers arrive whole, in order, concurrently, and after a restart.

use std::sync::Arc;

use futures::future::join_all;
use nervure_p2p::query::{ClientConfig, QueryClient, QueryError, QueryServer};

use crate::mesh::{self, Does, Expert, MESH, Node, Registry, ask, client, key, piece, server_config};

#[tokio::test]
async fn pieces_come_in_order_and_the_end_counts_them() {
    let (node, client) = (Node::start(server_config()), client(2));
    for (count, size) in [(1, 11), (50, 1000), (40, 200 * 1024), (0, 0)] {
        let (pieces, end) = ask(&client, node.id, node.at, Does::Stream(count, size)).await.unwrap();
        assert_eq!(pieces, (0..count).map(|number| piece(number, size)).collect::<Vec<_>>());
        assert_eq!((end.chunks, end.usage.completion_tokens), (count.into(), 2));
    }
    assert_eq!(node.count(|counters| counters.connections.get()), 1);
}

#[tokio::test]
async fn many_queries_share_one_connection_and_do_not_mix() {
    let (node, client) = (Node::start(server_config()), client(2));
    let answers = join_all((1..=64).map(|n| ask(&client, node.id, node.at, Does::Stream(n, 100 + n)))).await;
    for (answer, n) in answers.into_iter().zip(1u32..) {
        let pieces: Vec<_> = (0..n).map(|number| piece(number, 100 + n)).collect();
        assert_eq!(answer.unwrap().0, pieces);
    }
    assert_eq!(node.count(|counters| counters.connections.get()), 1, "concurrent askers share one dial");
    mesh::eventually("every query is done", || {
        node.in_progress() == 0 && node.count(|c| c.queries.get()) == 64
    })
    .await;
}

#[tokio::test]
async fn a_client_on_the_callers_runtime_asks_as_well() {
    let node = Node::start(server_config());
    let client = QueryClient::here(ClientConfig::new(key(2), MESH)).unwrap();
    assert_eq!(ask(&client, node.id, node.at, Does::Stream(5, 50)).await.unwrap().1.chunks, 5);
}

#[tokio::test]
async fn a_restarted_server_is_found_again() {
    let (node, client) = (Node::start(server_config()), client(2));
    ask(&client, node.id, node.at, Does::Stream(1, 10)).await.unwrap();
    let at = node.at;
    drop(node);
    let refused = ask(&client, key(1).node_id(), at, Does::Stream(1, 10)).await;
    // The second tries before the client has noticed that its connection is closed.
    assert!(matches!(refused, Err(QueryError::Unreachable { .. } | QueryError::Truncated(_))), "{refused:?}");
    let mut config = server_config();
    config.bind = vec![at];
    let node = Node::start(config);
    ask(&client, node.id, at, Does::Stream(1, 10)).await.unwrap();
}

#[tokio::test]
async fn one_server_answers_over_ipv4_and_ipv6() {
    let mut config = server_config();
    config.bind = vec![mesh::loopback(0), "[::1]:0".parse().unwrap()];
    if std::net::UdpSocket::bind(config.bind[1]).is_err() {
        eprintln!("SKIPPED: this machine has no IPv6");
        return;
    }
    let node = Node::start(config);
    let addresses = node.server.local_addrs();
    assert!(addresses[0].is_ipv4() && addresses[1].is_ipv6(), "{addresses:?}");
    for (asker, at) in (2..).zip(addresses) {
        assert_eq!(ask(&client(asker), node.id, *at, Does::Stream(2, 10)).await.unwrap().1.chunks, 2, "{at}");
    }
    assert_eq!(node.count(|counters| counters.connections.get()), 2);
}

#[test]
fn a_server_without_an_address_does_not_start() {
    let mut config = server_config();
    config.bind = Vec::new();
    let started = QueryServer::start(config, Arc::new(Registry(None)), Arc::<Expert>::default());
    assert!(started.is_err_and(|error| error.to_string().contains("no address")));
}

/// The first one would be waited for until the query has failed.
#[tokio::test]
async fn an_address_that_is_silent_does_not_hold_up_the_next_one() {
    let (node, mut config) = (Node::start(server_config()), ClientConfig::new(key(2), MESH));
    config.connect = std::time::Duration::from_secs(3600);
    let silent = std::net::UdpSocket::bind(mesh::loopback(0)).unwrap();
    let client = QueryClient::start(config).unwrap();
    let addresses = [silent.local_addr().unwrap(), node.at];
    let stream = client.open(node.id, &addresses, mesh::question(Does::Stream(2, 10))).await.unwrap();
    assert_eq!(mesh::read(stream).await.unwrap().1.chunks, 2);
}

#[tokio::test]
async fn the_first_address_that_answers_is_taken() {
    let (node, mut config) = (Node::start(server_config()), ClientConfig::new(key(2), MESH));
    config.connect = std::time::Duration::from_millis(300);
    // A socket that never answers.
    let silent = std::net::UdpSocket::bind(mesh::loopback(0)).unwrap();
    let client = QueryClient::start(config).unwrap();
    let addresses = [silent.local_addr().unwrap(), node.at];
    let stream = client.open(node.id, &addresses, mesh::question(Does::Stream(2, 10))).await.unwrap();
    assert_eq!(mesh::read(stream).await.unwrap().1.chunks, 2);
}
