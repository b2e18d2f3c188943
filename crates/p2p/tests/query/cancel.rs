//! Leaving, on either side, ends the work on the other.

use nervure_p2p::query::{QueryError, QueryItem};

use crate::mesh::{self, Does, Node, ask, client, question, server_config};

#[tokio::test]
async fn an_asker_that_leaves_frees_the_expert() {
    let (node, client) = (Node::start(server_config()), client(2));
    for does in [Does::Hang, Does::HangSilently, Does::WatchTheAsker] {
        let silent = matches!(does, Does::HangSilently);
        let mut stream = client.open(node.id, &[node.at], question(does)).await.unwrap();
        if silent {
            mesh::eventually("it works", || node.count(|counters| &counters.in_progress) == 1).await;
        } else {
            assert!(matches!(stream.next().await, Ok(QueryItem::Chunk(_))));
        }
        drop(stream);
        node.expert.dropped.notified().await;
        mesh::eventually("it is free", || node.count(|counters| &counters.in_progress) == 0).await;
    }
    node.serves().await;
}

#[tokio::test]
async fn an_expert_that_forgets_its_end_or_panics_is_an_error_to_its_asker() {
    let (node, client) = (Node::start(server_config()), client(2));
    for does in [Does::DropReplier, Does::Panic] {
        let answer = ask(&client, node.id, node.at, does).await;
        assert!(matches!(answer, Err(QueryError::Truncated(_))), "{answer:?}");
    }
    node.serves().await;
}

#[tokio::test]
async fn work_after_the_end_is_the_experts_own_business() {
    let (node, client) = (Node::start(server_config()), client(2));
    ask(&client, node.id, node.at, Does::WorkAfterTheEnd).await.unwrap();
    node.expert.go_on.notify_one();
    node.expert.finished.notified().await;
}

#[tokio::test]
async fn a_server_that_stops_ends_its_answers_with_an_error() {
    let (node, client) = (Node::start(server_config()), client(2));
    let mut stream = client.open(node.id, &[node.at], question(Does::Hang)).await.unwrap();
    assert!(matches!(stream.next().await, Ok(QueryItem::Chunk(_))));
    let Node { server, .. } = node;
    tokio::task::spawn_blocking(move || drop(server)).await.unwrap();
    assert!(stream.next().await.is_err());
}
