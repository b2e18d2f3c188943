//! Topics that are followed and unfollowed while the mesh runs: the subscription of the first follower is known to
//! later ones.

use std::collections::BTreeSet;

use nervure_p2p::{FollowError, PublishError, TopicFamily, TopicSpec, Verdict};

use crate::cluster::{Mesh, Node, eventually};

const FAMILY: &str = "later/";
const SEVENTH: &str = "later/7";

/// Two nodes that are connected and may follow two topics of the family.
async fn pair() -> (Mesh, Node, Node) {
    let mesh = Mesh::new(1);
    let start = |seed, bootstrap| {
        let mut config = mesh.config(seed);
        config.families = vec![TopicFamily { each: TopicSpec::new(FAMILY, 64), most: 2 }];
        config.bootstrap = bootstrap;
        mesh.start(config)
    };
    let first = start(1, Vec::new());
    let second = start(2, vec![first.address().await]);
    eventually("they are connected", async || first.status().await.connected == 1).await;
    (mesh.clone(), first, second)
}

async fn follow(node: &Node, numbers: &[u16]) -> Result<(), FollowError> {
    node.handle.follow(FAMILY, numbers.iter().copied().collect::<BTreeSet<_>>()).await
}

#[tokio::test]
async fn a_topic_carries_messages_while_it_is_followed() {
    let (_mesh, first, mut second) = pair().await;
    let refused = first.handle.publish(SEVENTH, b"early".to_vec()).await;
    assert!(matches!(refused, Err(PublishError::Refused(_))), "{refused:?}");
    let topics = first.status().await.topics;

    follow(&second, &[7]).await.unwrap();
    // The second announces its subscription only once, and that arrives before the first follows.
    eventually("the other topic works", async || first.handle.publish("test", b"x".to_vec()).await.is_ok())
        .await;
    follow(&first, &[7, 9]).await.unwrap();
    assert_eq!(first.status().await.topics, topics + 2);
    eventually("it is published", async || first.handle.publish(SEVENTH, b"news".to_vec()).await.is_ok())
        .await;
    loop {
        let message = second.gossip.recv().await.unwrap();
        let (topic, data) = (message.topic.clone(), message.data.clone());
        message.judge(Verdict::Accept).await;
        if topic == SEVENTH {
            assert_eq!(data, b"news");
            break;
        }
    }
    let long = first.handle.publish(SEVENTH, vec![0; 65]).await;
    assert!(matches!(long, Err(PublishError::Refused(_))), "{long:?}");

    follow(&second, &[]).await.unwrap();
    let mut tries = 0u32;
    eventually("no peer follows it", async || {
        // A different message each time, because publishing a duplicate succeeds.
        tries += 1;
        let late = first.handle.publish(SEVENTH, tries.to_be_bytes().to_vec()).await;
        matches!(late, Err(PublishError::NoSubscribers))
    })
    .await;
    assert_eq!(second.handle.publish("test", b"still here".to_vec()).await, Ok(()));
}

#[tokio::test]
async fn refuses_too_many_topics_and_unknown_families() {
    let (_mesh, first, _second) = pair().await;
    let many = follow(&first, &[1, 2, 3]).await;
    assert_eq!(many, Err(FollowError::TooMany { asked: 3, most: 2 }));
    let other = first.handle.follow("test", BTreeSet::new()).await;
    assert_eq!(other, Err(FollowError::NoFamily("test".into())));
}
