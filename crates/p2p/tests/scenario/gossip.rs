//! Gossip reaches all nodes, and an honest node does not forward a message that it rejects.

use nervure_p2p::{DhtMode, PublishError, Verdict};

use crate::cluster::{Mesh, Node, TOPIC, TOPIC_MAX, eventually};

/// The next message that `node` receives, with `verdict`.
async fn receive(node: &mut Node, verdict: impl Fn(&[u8]) -> Verdict) -> Vec<u8> {
    let message = node.gossip.recv().await.unwrap();
    let data = message.data.clone();
    let verdict = verdict(&data);
    message.judge(verdict).await;
    data
}

#[tokio::test]
async fn a_message_reaches_all_of_five() {
    let mesh = Mesh::new(1);
    let mut nodes = mesh.star(5).await;
    let mut sender = nodes.remove(3);
    sender.publish(b"hello").await;
    for node in &mut nodes {
        assert_eq!(receive(node, |_| Verdict::Accept).await, b"hello");
    }
    assert!(sender.gossip.try_recv().is_err(), "not back to the sender");
}

/// What the last of three in a row receives, up to the good message, when the one in between judges with `verdict`.
async fn behind(verdict: impl Fn(&[u8]) -> Verdict + Send + 'static) -> Vec<Vec<u8>> {
    let mesh = Mesh::new(1);
    let mut middle = mesh.start(mesh.config(1));
    let at_the_end = |seed, address| {
        let mut config = mesh.config(seed);
        config.bootstrap = vec![address];
        // DHT clients are in no routing table, so the ends do not find each other.
        config.mode = DhtMode::Client;
        mesh.start(config)
    };
    let (first, mut last) = (at_the_end(2, middle.address().await), at_the_end(3, middle.address().await));
    eventually("the row stands", async || middle.status().await.connected == 2).await;
    // The topic's mesh is complete once a message has passed through all three.
    for probe in 0u32.. {
        first.publish(&[b"probe".as_slice(), &probe.to_be_bytes()].concat()).await;
        receive(&mut middle, |_| Verdict::Accept).await;
        let arrived = tokio::time::timeout(std::time::Duration::from_millis(200), last.gossip.recv()).await;
        if let Ok(Some(_)) = arrived {
            break;
        }
        assert!(probe < 100, "the last node never received a probe");
    }
    first.publish(b"bad").await;
    first.publish(b"good").await;
    for _ in 0..2 {
        receive(&mut middle, &verdict).await;
    }
    let mut received = Vec::new();
    while received.last().is_none_or(|data| data != b"good") {
        let data = receive(&mut last, |_| Verdict::Accept).await;
        if !data.starts_with(b"probe") {
            received.push(data);
        }
    }
    assert!(!last.is_connected_to(first.id()).await, "the ends must not be connected");
    received
}

#[tokio::test]
async fn a_rejected_message_is_not_forwarded() {
    let judge = |data: &[u8]| if data == b"bad" { Verdict::Reject } else { Verdict::Accept };
    assert_eq!(behind(judge).await, [b"good".to_vec()]);
}

#[tokio::test]
async fn without_validation_it_is_forwarded() {
    assert_eq!(behind(|_| Verdict::Accept).await, [b"bad".to_vec(), b"good".to_vec()]);
}

#[tokio::test]
async fn unknown_topics_and_long_messages_are_not_published() {
    let mesh = Mesh::new(1);
    let nodes = mesh.star(2).await;
    let too_long = nodes[0].handle.publish(TOPIC, vec![0; TOPIC_MAX + 1]).await;
    assert!(matches!(too_long, Err(PublishError::Refused(_))), "{too_long:?}");
    let elsewhere = nodes[0].handle.publish("elsewhere", vec![0]).await;
    assert!(matches!(elsewhere, Err(PublishError::Refused(_))), "{elsewhere:?}");
    nodes[0].publish(&vec![0; TOPIC_MAX]).await;
    let mut nodes = nodes;
    assert_eq!(receive(&mut nodes[1], |_| Verdict::Accept).await.len(), TOPIC_MAX);
}
