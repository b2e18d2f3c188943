//! A relay that loses packets: the whole answer arrives, or an error; never a short answer that is taken for a whole
//! one.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use nervure_p2p::query::{ClientConfig, QueryClient};
use rand::{Rng, SeedableRng, rngs::StdRng};
use tokio::net::UdpSocket;

use crate::mesh::{Does, MESH, Node, ask, key, loopback, piece, server_config};

/// The packets that a relay loses.
#[derive(Clone, Copy, Debug)]
struct Loss {
    seed: u64,
    percent: u32,
    /// Packets after which everything is lost.
    after: u64,
}

/// Starts a relay for one client; gives its address and how many packets it lost.
async fn relay(to: SocketAddr, loss: Loss) -> (SocketAddr, Arc<AtomicU64>) {
    let front = UdpSocket::bind(loopback(0)).await.unwrap();
    let back = UdpSocket::bind(loopback(0)).await.unwrap();
    let (at, lost) = (front.local_addr().unwrap(), Arc::<AtomicU64>::default());
    let counter = lost.clone();
    tokio::spawn(async move {
        let (mut random, mut packets, mut asker) = (StdRng::seed_from_u64(loss.seed), 0, None);
        let (mut there, mut here) = (vec![0; 65536], vec![0; 65536]);
        loop {
            let (forth, length) = tokio::select! {
                Ok((length, from)) = front.recv_from(&mut there) => {
                    asker = Some(from);
                    (true, length)
                }
                Ok((length, _)) = back.recv_from(&mut here) => (false, length),
            };
            packets += 1;
            if packets > loss.after || random.random_range(0..100) < loss.percent {
                counter.fetch_add(1, Ordering::Relaxed);
            } else if forth {
                back.send_to(&there[..length], to).await.unwrap();
            } else if let Some(asker) = asker {
                front.send_to(&here[..length], asker).await.unwrap();
            }
        }
    });
    (at, lost)
}

/// Whether a long answer arrived through `loss`. Every run asserts that it is whole or an error.
async fn came(node: &Node, loss: Loss, limit: Duration) -> bool {
    let (at, lost) = relay(node.at, loss).await;
    let mut config = ClientConfig::new(key(2), MESH);
    (config.connect, config.first_byte, config.between) = (limit, limit, limit);
    let client = QueryClient::start(config).unwrap();
    let answer = ask(&client, node.id, at, Does::Stream(200, 1000)).await;
    assert!(lost.load(Ordering::Relaxed) > 0, "{loss:?} lost nothing");
    match answer {
        Ok((pieces, end)) => {
            assert_eq!(pieces, (0..200).map(|number| piece(number, 1000)).collect::<Vec<_>>(), "{loss:?}");
            assert_eq!(end.chunks, 200);
            true
        }
        Err(_) => false,
    }
}

#[tokio::test]
async fn one_packet_in_ten_lost_costs_time_and_nothing_else() {
    let (node, mut whole) = (Node::start(server_config()), 0);
    for seed in 0..6 {
        let loss = Loss { seed, percent: 10, after: u64::MAX };
        whole += u32::from(came(&node, loss, Duration::from_secs(30)).await);
    }
    assert!(whole > 0);
}

#[tokio::test]
async fn a_line_that_goes_dead_is_an_error() {
    let node = Node::start(server_config());
    for after in [1, 3, 6, 10, 20, 40, 80] {
        let loss = Loss { seed: after, percent: 0, after };
        assert!(!came(&node, loss, Duration::from_millis(500)).await, "{loss:?}");
    }
}
