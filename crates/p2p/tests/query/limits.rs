//! Rate limits, connection limits, and proof of address under load.

use std::{
    num::{NonZeroU32, NonZeroUsize},
    time::Duration,
};

use nervure_p2p::query::{QueryError, QueryErrorCode};
use nervure_protocol::AskerClass;

use crate::{
    bare,
    mesh::{Does, Node, Registry, ask, client, eventually, key, server_config},
};

/// How many of twenty queries of client 2 were refused because of the rate.
async fn limited(node: &Node) -> usize {
    let (client, mut refused) = (client(2), 0);
    for _ in 0..20 {
        match ask(&client, node.id, node.at, Does::Stream(1, 10)).await {
            Ok(_) => {}
            Err(QueryError::Refused { code: QueryErrorCode::RateLimited, retry_after, .. }) => {
                assert_eq!(retry_after, Some(Duration::from_secs(1)));
                refused += 1;
            }
            other => panic!("{other:?}"),
        }
    }
    refused
}

#[tokio::test]
async fn strangers_are_limited_and_the_registered_are_not() {
    let mut config = server_config();
    config.classes.of_mut(AskerClass::Stranger).rate = NonZeroU32::MIN;
    let strict = Node::admitting(config.clone(), Registry::only(3));
    let refused = limited(&strict).await;
    assert!(refused > 0);
    assert_eq!(strict.count(|c| c.rate_limited.get()), refused as u64);
    let registered = client(3);
    for _ in 0..20 {
        ask(&registered, strict.id, strict.at, Does::Stream(1, 10)).await.unwrap();
    }
    // The broken variant: where all nodes are registered, no client is limited.
    assert_eq!(limited(&Node::start(config)).await, 0);
}

#[tokio::test]
async fn half_full_a_server_asks_for_proof_and_full_it_refuses() {
    let mut config = server_config();
    config.connections = NonZeroUsize::new(4).unwrap();
    let node = Node::start(config);
    let mut kept = Vec::new();
    for number in 1..=4u64 {
        kept.push(bare::connect(&key(2), node.at).await);
        assert_eq!(node.count(|c| c.retried.get()), number.saturating_sub(3), "after {number}");
    }
    let refused = ask(&client(3), node.id, node.at, Does::Stream(1, 10)).await;
    assert!(matches!(refused, Err(QueryError::Unreachable { .. })), "{refused:?}");
    assert_eq!(node.count(|c| c.refused.get()), 1);
    kept.clear();
    let client = client(3);
    for _ in 0..1000 {
        if ask(&client, node.id, node.at, Does::Stream(1, 10)).await.is_ok() {
            return eventually("five came in", || node.count(|c| c.connections.get()) == 5).await;
        }
    }
    panic!("the connections were not released");
}

#[tokio::test]
async fn a_server_with_room_asks_for_no_proof() {
    let node = Node::start(server_config());
    let mut kept = Vec::new();
    for _ in 0..4 {
        kept.push(bare::connect(&key(2), node.at).await);
    }
    // The client is connected a packet before the server.
    eventually("all four are connected", || node.count(|c| c.connections.get()) == 4).await;
    assert_eq!(node.count(|c| c.retried.get()), 0);
}

#[tokio::test]
async fn long_queries_share_the_memory_and_short_ones_do_not_need_it() {
    let mut config = server_config();
    config.memory_kib = std::num::NonZeroUsize::new(300).unwrap();
    let node = Node::start(config);
    let client = client(2);
    let long = |does| {
        let mut question = crate::mesh::question(does);
        question.body.resize(200 * 1024, 0);
        question
    };
    let mut first = client.open(node.id, &[node.at], long(Does::Hang)).await.unwrap();
    assert!(first.next().await.is_ok(), "there is memory for one");
    let second = client.open(node.id, &[node.at], long(Does::Stream(1, 10))).await.unwrap();
    let refused = crate::mesh::read(second).await;
    assert!(
        matches!(refused, Err(QueryError::Refused { code: QueryErrorCode::Busy, retry_after: Some(_), .. })),
        "{refused:?}"
    );
    node.serves().await;
    drop(first);
    node.expert.dropped.notified().await;
    let third = client.open(node.id, &[node.at], long(Does::Stream(1, 10))).await.unwrap();
    assert!(crate::mesh::read(third).await.is_ok(), "the memory is released");
}

#[tokio::test]
async fn all_queries_together_are_bounded() {
    let mut config = server_config();
    config.queries = std::num::NonZeroUsize::new(1).unwrap();
    let node = Node::start(config);
    let client = client(2);
    let mut first = client.open(node.id, &[node.at], crate::mesh::question(Does::Hang)).await.unwrap();
    assert!(first.next().await.is_ok());
    let refused = ask(&client, node.id, node.at, Does::Stream(1, 10)).await;
    assert!(matches!(refused, Err(QueryError::Refused { code: QueryErrorCode::Busy, .. })), "{refused:?}");
}
