//! Either side leaves during an answer, and the other side notices.

use nervure_p2p::query::{QueryError, QueryItem};

use crate::{
    bare,
    mesh::{Does, Node, ask, client, eventually, question, read, server_config},
};

#[tokio::test]
async fn dropping_the_answer_drops_the_experts_work() {
    let (node, client) = (Node::start(server_config()), client(2));
    let mut stream = client.open(node.id, &[node.at], question(Does::Hang)).await.unwrap();
    assert!(matches!(stream.next().await, Ok(QueryItem::Chunk(_))));
    drop(stream);
    node.expert.dropped.notified().await;
    eventually("it is no longer in progress", || node.in_progress() == 0).await;
    ask(&client, node.id, node.at, Does::Stream(1, 10)).await.unwrap();
}

#[tokio::test]
async fn work_that_has_sent_nothing_is_dropped_too() {
    let (node, client) = (Node::start(server_config()), client(2));
    let stream = client.open(node.id, &[node.at], question(Does::HangSilently)).await.unwrap();
    eventually("it is in progress", || node.in_progress() == 1).await;
    drop(stream);
    node.expert.dropped.notified().await;
}

#[tokio::test]
async fn closing_the_connection_drops_the_experts_work() {
    let (node, client) = (Node::start(server_config()), client(2));
    let mut stream = client.open(node.id, &[node.at], question(Does::Hang)).await.unwrap();
    assert!(matches!(stream.next().await, Ok(QueryItem::Chunk(_))));
    client.disconnect(&node.id);
    node.expert.dropped.notified().await;
    assert!(matches!(stream.next().await, Err(QueryError::Truncated(_))));
}

#[tokio::test]
async fn a_service_that_watches_its_asker_sees_it_leave() {
    let (node, client) = (Node::start(server_config()), client(2));
    let mut stream = client.open(node.id, &[node.at], question(Does::WatchTheAsker)).await.unwrap();
    assert!(matches!(stream.next().await, Ok(QueryItem::Chunk(_))));
    drop(stream);
    node.expert.dropped.notified().await;
}

#[tokio::test]
async fn what_a_service_does_after_its_end_is_not_cancelled() {
    let (node, client) = (Node::start(server_config()), client(2));
    ask(&client, node.id, node.at, Does::WorkAfterTheEnd).await.unwrap();
    // The stream has ended by now, and the server has seen that once it answers the next query.
    ask(&client, node.id, node.at, Does::Stream(1, 10)).await.unwrap();
    assert_eq!(node.in_progress(), 1);
    node.expert.finished.notified().await;
    node.expert.release.notify_one();
    node.expert.finished.notified().await;
}

#[tokio::test]
async fn a_dropped_replier_and_a_panic_are_errors_to_the_asker() {
    let (node, client) = (Node::start(server_config()), client(2));
    for does in [Does::DropReplier, Does::Panic] {
        let answer = ask(&client, node.id, node.at, does).await;
        assert!(matches!(answer, Err(QueryError::Truncated(_))), "{answer:?}");
    }
    node.serves().await;
}

#[tokio::test]
async fn a_dropped_replier_resets_the_stream_rather_than_finishing_it() {
    let node = Node::start(server_config());
    let (_kept, connection) = bare::connect(&crate::mesh::key(2), node.at).await;
    let (mut send, mut receive) = connection.open_bi().await.unwrap();
    let open = bare::bytes(&[nervure_protocol::query::Frame::Open(question(Does::DropReplier))]);
    send.write_all(&open).await.unwrap();
    assert!(receive.read_to_end(1 << 20).await.is_err());
}

#[tokio::test]
async fn a_server_that_stops_ends_its_answers_with_an_error() {
    let (node, client) = (Node::start(server_config()), client(2));
    let mut stream = client.open(node.id, &[node.at], question(Does::Hang)).await.unwrap();
    assert!(matches!(stream.next().await, Ok(QueryItem::Chunk(_))));
    drop(node);
    let rest = read(stream).await;
    assert!(matches!(rest, Err(QueryError::Truncated(_))), "{rest:?}");
}

#[tokio::test]
async fn an_answer_over_its_deadline_is_dropped() {
    let (node, client) = (Node::start(server_config()), client(2));
    let mut open = question(Does::Hang);
    open.deadline_ms = 300;
    let answer = read(client.open(node.id, &[node.at], open).await.unwrap()).await;
    assert!(matches!(answer, Err(QueryError::Truncated(_) | QueryError::Overdue(_))), "{answer:?}");
    node.expert.dropped.notified().await;
}
