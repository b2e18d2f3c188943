//! A peer that sends too many messages, or invalid ones, is rate-limited, counted, and in the end ignored.

use std::time::Duration;

use nervure_p2p::{NetworkStatus, Verdict};

use crate::cluster::{Mesh, Node, TOPIC, eventually};

/// Publishes `count` different messages.
async fn spam(node: &Node, count: u32) {
    node.publish(b"first").await;
    for number in 0..count {
        // A full queue towards a slow victim loses some, as it would for any spammer.
        let _ = node.handle.publish(TOPIC, number.to_be_bytes().to_vec()).await;
        tokio::task::yield_now().await;
    }
}

struct Seen {
    judged: u64,
    status: NetworkStatus,
    score: f64,
}

/// The state of a victim with this limit after a registered spammer has finished.
async fn after_spam(per_peer_per_second: u32, verdict: Verdict) -> Seen {
    let mesh = Mesh::new(1);
    let mut config = mesh.config(1);
    config.topics[0].per_peer_per_second = per_peer_per_second;
    let mut victim = mesh.start(config);
    let mut config = mesh.config(2);
    config.bootstrap = vec![victim.address().await];
    let spammer = mesh.start(config);
    let mut judged = 0;
    let sending = async {
        for _ in 0..4 {
            spam(&spammer, 200).await;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let judging = async {
        // Ends when no message has come for a while: the spammer has finished, or is ignored.
        while let Ok(Some(message)) = tokio::time::timeout(Duration::from_secs(3), victim.gossip.recv()).await
        {
            judged += 1;
            message.judge(verdict).await;
        }
    };
    tokio::join!(sending, judging);
    let peers = victim.handle.peers().await.unwrap();
    let score = peers.iter().find(|peer| peer.node == spammer.id()).map_or(0.0, |peer| peer.score);
    let status = victim.status().await;
    Seen { judged, status, score }
}

#[tokio::test]
async fn messages_beyond_the_rate_are_ignored_counted_and_lower_the_score() {
    let seen = after_spam(10, Verdict::Accept).await;
    assert!(seen.judged < 150, "{} were handed in", seen.judged);
    assert!(seen.status.gossip_rate_limited > 0);
    assert!(seen.score < 0.0, "{}", seen.score);
}

#[tokio::test]
async fn without_the_rate_limit_all_messages_are_handed_in() {
    let seen = after_spam(u32::MAX, Verdict::Accept).await;
    assert!(seen.judged > 150, "{} were handed in", seen.judged);
    assert_eq!(seen.status.gossip_rate_limited, 0);
    assert!(seen.score >= 0.0, "{}", seen.score);
}

#[tokio::test]
async fn a_peer_with_rejected_messages_is_ignored() {
    let seen = after_spam(u32::MAX, Verdict::Reject).await;
    assert!(seen.score < -80.0, "{}", seen.score);
    // Messages in flight at the third verdict were still judged, and no later ones.
    assert!(seen.judged < 800 && seen.status.gossip_rejected == seen.judged);
}

/// What a victim receives of a peer's last message, after so many rejected ones.
async fn heard_after(rejected: u8) -> Vec<Vec<u8>> {
    let mesh = Mesh::new(1);
    let mut victim = mesh.start(mesh.config(1));
    let connect = async |seed| {
        let mut config = mesh.config(seed);
        config.bootstrap = vec![victim.address().await];
        // DHT clients do not find each other, so the honest one forwards only its own messages.
        config.mode = nervure_p2p::DhtMode::Client;
        mesh.start(config)
    };
    let (spammer, honest) = (connect(2).await, connect(3).await);
    for number in 0..rejected {
        spammer.publish(&[number]).await;
        victim.gossip.recv().await.unwrap().judge(Verdict::Reject).await;
    }
    // The victim's task answers this after it has applied the verdicts.
    victim.status().await;
    spammer.publish(b"late").await;
    honest.publish(b"honest").await;
    let mut heard = Vec::new();
    while let Ok(Some(message)) = tokio::time::timeout(Duration::from_secs(2), victim.gossip.recv()).await {
        heard.push(message.data.clone());
        message.judge(Verdict::Accept).await;
    }
    heard.sort();
    heard
}

#[tokio::test]
async fn the_third_rejected_message_silences_only_its_sender() {
    assert_eq!(heard_after(3).await, [b"honest".to_vec()]);
}

#[tokio::test]
async fn without_rejected_messages_a_peer_is_heard() {
    assert_eq!(heard_after(0).await, [b"honest".to_vec(), b"late".to_vec()]);
}

#[tokio::test]
async fn a_stranger_that_sends_a_message_first_does_not_suppress_it() {
    let mesh = Mesh::new(1);
    let mut victim = mesh.start(mesh.config(1));
    let address = victim.address().await;
    let mut config = mesh.stranger(2);
    config.bootstrap = vec![address.clone()];
    let stranger = mesh.start(config);
    eventually("the stranger is connected", async || victim.is_connected_to(stranger.id()).await).await;
    stranger.publish(b"news").await;

    let mut config = mesh.config(3);
    config.bootstrap = vec![address];
    let member = mesh.start(config);
    eventually("the member is connected", async || victim.is_connected_to(member.id()).await).await;
    member.publish(b"news").await;
    let message = victim.gossip.recv().await.unwrap();
    assert_eq!((message.data.as_slice(), message.from), (b"news".as_slice(), member.id().peer_id()));
    message.judge(Verdict::Accept).await;
    let peers = victim.handle.peers().await.unwrap();
    assert!(peers.iter().all(|peer| peer.score >= 0.0 || !peer.registered));
}
