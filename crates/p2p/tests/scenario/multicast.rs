//! Nodes of one local mesh find each other by mDNS, where the machine has multicast.

use std::{
    net::{Ipv4Addr, UdpSocket},
    time::Duration,
};

use crate::cluster::{Mesh, eventually};

/// mDNS's group.
const GROUP: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 251);

/// Whether a datagram to the group comes back to us.
fn has_multicast() -> std::io::Result<bool> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    socket.join_multicast_v4(&GROUP, &Ipv4Addr::UNSPECIFIED)?;
    socket.set_read_timeout(Some(Duration::from_secs(1)))?;
    socket.send_to(b"nervure test", (GROUP, socket.local_addr()?.port()))?;
    let mut heard = [0; 64];
    Ok(socket.recv(&mut heard)? > 0)
}

#[tokio::test]
async fn two_nodes_meet_without_a_bootstrap_node() {
    if !has_multicast().unwrap_or(false) {
        println!("SKIPPED: this machine has no multicast");
        return;
    }
    let mesh = Mesh::new(77);
    let [a, b] = [1, 2].map(|seed| {
        let mut config = mesh.config(seed);
        config.reach.mdns = true;
        // A node that receives the datagram dials its source address, which is never loopback.
        config.listen = vec!["/ip4/0.0.0.0/udp/0/quic-v1".parse().unwrap()];
        mesh.start(config)
    });
    eventually("they have met", async || a.is_connected_to(b.id()).await).await;
}
