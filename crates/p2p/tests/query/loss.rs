//! A network that loses packets: an answer comes whole or it is an error.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use nervure_p2p::query::{ClientConfig, QueryClient, QueryError};
use tokio::net::UdpSocket;

use crate::mesh::{Does, MESH, Node, ask, key, loopback, piece, server_config};

/// A relay between one asker and a node, which drops some packets and in the end all.
struct Relay {
    at: SocketAddr,
    dropped: Arc<AtomicU64>,
}

impl Relay {
    /// Drops one packet in `one_in`, by a seeded generator, and every packet after `all_after`.
    async fn start(node: SocketAddr, one_in: u64, all_after: u64) -> Self {
        let front = Arc::new(UdpSocket::bind(loopback(0)).await.unwrap());
        let back = Arc::new(UdpSocket::bind(loopback(0)).await.unwrap());
        back.connect(node).await.unwrap();
        let (at, dropped) = (front.local_addr().unwrap(), Arc::new(AtomicU64::new(0)));
        let counter = dropped.clone();
        tokio::spawn(async move {
            let (mut asker, mut there, mut here) = (None, vec![0; 65_536], vec![0; 65_536]);
            let (mut seed, mut packets) = (42u64, 0);
            let mut lost = || {
                // A generator as simple as can be: what matters is that a run can be repeated.
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                packets += 1;
                let lost = packets > all_after || (seed >> 33).is_multiple_of(one_in);
                counter.fetch_add(lost.into(), Ordering::Relaxed);
                lost
            };
            loop {
                tokio::select! {
                    Ok((length, from)) = front.recv_from(&mut there) => {
                        asker = Some(from);
                        if !lost() {
                            let _ = back.send(&there[..length]).await;
                        }
                    }
                    Ok(length) = back.recv(&mut here) => {
                        if let Some(asker) = asker.filter(|_| !lost()) {
                            let _ = front.send_to(&here[..length], asker).await;
                        }
                    }
                }
            }
        });
        Self { at, dropped }
    }
}

fn patient_client() -> QueryClient {
    let mut config = ClientConfig::new(key(2), MESH);
    config.connect = std::time::Duration::from_secs(20);
    config.between = std::time::Duration::from_secs(3);
    QueryClient::start(config).unwrap()
}

#[tokio::test]
async fn an_answer_over_a_lossy_network_comes_whole() {
    let node = Node::start(server_config());
    let relay = Relay::start(node.at, 10, u64::MAX).await;
    let client = patient_client();
    for _ in 0..3 {
        let (pieces, _) = ask(&client, node.id, relay.at, Does::Stream(200, 1000)).await.unwrap();
        assert_eq!(pieces, (0..200).map(|number| piece(number, 1000)).collect::<Vec<_>>());
    }
    assert!(relay.dropped.load(Ordering::Relaxed) > 0, "nothing was lost, so nothing was shown");
}

#[tokio::test]
async fn an_answer_that_the_network_cuts_is_an_error() {
    let node = Node::start(server_config());
    // Some packets of a long answer come, and then none.
    let relay = Relay::start(node.at, u64::MAX, 120).await;
    let answer = ask(&patient_client(), node.id, relay.at, Does::Stream(5000, 1000)).await;
    assert!(matches!(answer, Err(QueryError::Stalled(_) | QueryError::Truncated(_))), "{:?}", answer.err());
    assert!(relay.dropped.load(Ordering::Relaxed) > 0);
}
