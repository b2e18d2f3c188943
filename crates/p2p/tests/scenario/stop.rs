//! A stopped node writes its store and releases its handles.

use nervure_p2p::{Network, ProtocolSpec, RequestError, Stopped};
use nervure_primitives::Hash;
use tokio_util::sync::CancellationToken;

use crate::cluster::{Mesh, eventually};

#[tokio::test]
async fn a_stop_writes_the_store_and_handles_report_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("peers");
    let mesh = Mesh::new(1);
    let friend = mesh.start(mesh.config(1));
    let mut config = mesh.config(2);
    config.bootstrap = vec![friend.address().await];
    config.peer_store = Some(path.clone());
    config.protocols = vec![ProtocolSpec::new("echo/1")];
    let mut node = mesh.start(config.clone());
    eventually("there is something to write", async || node.status().await.known == 1).await;

    node.stop.cancel();
    node.handle.stopped().await;
    assert!(path.exists());
    assert_eq!(node.handle.closest(Hash::of("test", &[])).await, Err(Stopped));
    let request = node.handle.request(friend.id(), "echo/1", Vec::new()).await;
    assert_eq!(request, Err(RequestError::Stopped(Stopped)));
    assert!(node.gossip.recv().await.is_none());
}

#[tokio::test]
async fn a_port_in_use_is_a_clear_error() {
    let mesh = Mesh::new(1);
    let taken = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut config = mesh.config(1);
    let address = format!("/ip4/127.0.0.1/udp/{}/quic-v1", taken.local_addr().unwrap().port());
    config.listen = vec![address.parse().unwrap()];
    let error = Network::start(config, mesh.registered.clone(), CancellationToken::new()).unwrap_err();
    let text = error.to_string();
    assert!(text.contains(&address) && text.contains("in use"), "{text}");
}
