//! Two nodes connect, over either transport.

use nervure_p2p::Multiaddr;

use crate::cluster::{Mesh, eventually};

async fn meet_over(listen: &str) {
    let mesh = Mesh::new(1);
    let mut config = mesh.config(1);
    config.listen = vec![listen.parse().unwrap()];
    let a = mesh.start(config);
    let mut config = mesh.config(2);
    config.bootstrap = vec![a.address().await];
    let b = mesh.start(config);
    eventually("both see each other", async || {
        a.is_connected_to(b.id()).await && b.is_connected_to(a.id()).await
    })
    .await;
    eventually("each routes to the other", async || {
        a.status().await.routing_table == 1 && b.status().await.routing_table == 1
    })
    .await;
    let seen = &a.handle.peers().await.unwrap()[0];
    assert!(seen.inbound && seen.agent.raw().starts_with("nervure/"));
    assert!(!b.handle.peers().await.unwrap()[0].inbound);
}

#[tokio::test]
async fn over_quic() {
    meet_over("/ip4/127.0.0.1/udp/0/quic-v1").await;
}

#[tokio::test]
async fn one_node_meets_others_over_ipv4_and_ipv6() {
    if std::net::UdpSocket::bind("[::1]:0").is_err() {
        eprintln!("SKIPPED: this machine has no IPv6");
        return;
    }
    let (mesh, families) = (Mesh::new(1), ["/ip4/127.0.0.1", "/ip6/::1"]);
    let mut config = mesh.config(1);
    let listen = families.map(|ip| [format!("{ip}/udp/0/quic-v1"), format!("{ip}/tcp/0")]);
    config.listen = listen.iter().flatten().map(|text| text.parse().unwrap()).collect();
    let both = mesh.start(config);
    eventually("it listens on all four", async || both.status().await.listening.len() == 4).await;
    for (seed, address) in (2..).zip(both.status().await.listening) {
        let mut config = mesh.config(seed);
        config.listen = vec![
            address
                .iter()
                .next()
                .map(|ip| format!("{}/udp/0/quic-v1", Multiaddr::from(ip)).parse().unwrap())
                .unwrap(),
        ];
        config.bootstrap = vec![address.clone()];
        let other = mesh.start(config);
        eventually("they meet", async || both.is_connected_to(other.id()).await).await;
    }
}

#[tokio::test]
async fn over_tcp() {
    meet_over("/ip4/127.0.0.1/tcp/0").await;
}
