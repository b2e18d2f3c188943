//! Requests between nodes: answered, refused, timed out, and bounded.

use std::time::Duration;

use nervure_p2p::{InboundRequest, NetworkConfig, ProtocolSpec, RequestError};
use nervure_primitives::{NodeId, NodeKey};
use tokio::sync::mpsc;

use crate::cluster::{Mesh, Node, eventually};

const ECHO: &str = "echo/1";
const MAX: usize = 1000;

fn spec() -> ProtocolSpec {
    ProtocolSpec {
        max_request: MAX,
        max_response: MAX,
        timeout: Duration::from_secs(30),
        per_peer_per_second: 1000,
        ..ProtocolSpec::new(ECHO)
    }
}

/// A node that serves `spec`, and its inbound requests.
fn server(
    mesh: &Mesh,
    mut config: NetworkConfig,
    spec: ProtocolSpec,
) -> (Node, mpsc::Receiver<InboundRequest>) {
    let (sender, requests) = mpsc::channel(64);
    config.protocols = vec![spec];
    config.requests = Some(sender);
    (mesh.start(config), requests)
}

/// A node that bootstraps from `other`.
async fn asker(mesh: &Mesh, mut config: NetworkConfig, other: &Node, spec: ProtocolSpec) -> Node {
    config.bootstrap = vec![other.address().await];
    config.protocols = vec![spec];
    let node = mesh.start(config);
    eventually("they meet", async || node.is_connected_to(other.id()).await).await;
    node
}

/// Answers each request with its own data.
async fn echo(mut requests: mpsc::Receiver<InboundRequest>) {
    while let Some(request) = requests.recv().await {
        let data = request.data.clone();
        request.respond(data).await;
    }
}

#[tokio::test]
async fn a_request_is_answered_and_names_its_sender() {
    let mesh = Mesh::new(1);
    let (a, mut requests) = server(&mesh, mesh.config(1), spec());
    let b = asker(&mesh, mesh.config(2), &a, spec()).await;
    let stranger = asker(&mesh, mesh.stranger(3), &a, spec()).await;
    for (node, registered) in [(&b, true), (&stranger, false)] {
        let serve = async {
            let request = requests.recv().await.unwrap();
            assert_eq!((request.from, request.registered, request.protocol), (node.id(), registered, ECHO));
            let data = request.data.clone();
            request.respond(data).await;
        };
        let ask = node.handle.request(a.id(), ECHO, vec![7; MAX]);
        assert_eq!(tokio::join!(ask, serve).0.unwrap(), vec![7; MAX]);
    }
    assert_eq!(a.status().await.requests_received, 2);
}

#[tokio::test]
async fn unknown_protocols_and_long_requests_are_errors() {
    let mesh = Mesh::new(1);
    let (a, mut requests) = server(&mesh, mesh.config(1), spec());
    let b = asker(&mesh, mesh.config(2), &a, spec()).await;
    let too_long = b.handle.request(a.id(), ECHO, vec![0; MAX + 1]).await;
    assert_eq!(too_long, Err(RequestError::TooLong { limit: MAX, actual: MAX + 1 }));
    let unknown = b.handle.request(a.id(), "other/1", Vec::new()).await;
    assert_eq!(unknown, Err(RequestError::UnknownProtocol("other/1")));

    let serve = async { requests.recv().await.unwrap().respond(vec![0; MAX + 1]).await };
    assert_eq!(tokio::join!(b.handle.request(a.id(), ECHO, Vec::new()), serve).0, Err(RequestError::Refused));
    let drop_it = async { drop(requests.recv().await.unwrap()) };
    assert_eq!(
        tokio::join!(b.handle.request(a.id(), ECHO, Vec::new()), drop_it).0,
        Err(RequestError::Refused)
    );
    let nobody_serves_here = a.handle.request(b.id(), ECHO, Vec::new()).await;
    assert_eq!(nobody_serves_here, Err(RequestError::Refused));
}

#[tokio::test]
async fn a_request_longer_than_the_receiver_allows_is_refused_there() {
    let mesh = Mesh::new(1);
    let (a, _requests) = server(&mesh, mesh.config(1), spec());
    let generous = ProtocolSpec { max_request: 10 * MAX, ..spec() };
    let b = asker(&mesh, mesh.config(2), &a, generous).await;
    let refused = b.handle.request(a.id(), ECHO, vec![0; MAX + 1]).await;
    assert!(matches!(refused, Err(RequestError::Refused | RequestError::Failed(_))), "{refused:?}");
    eventually("it is counted", async || a.status().await.requests_failed == 1).await;
    assert_eq!(a.status().await.requests_received, 0, "it was not handed in");
}

#[tokio::test]
async fn an_answer_longer_than_the_asker_allows_is_an_error() {
    let mesh = Mesh::new(1);
    let generous = ProtocolSpec { max_response: 10 * MAX, ..spec() };
    let (a, mut requests) = server(&mesh, mesh.config(1), generous);
    let b = asker(&mesh, mesh.config(2), &a, spec()).await;
    let serve = async { requests.recv().await.unwrap().respond(vec![0; MAX + 1]).await };
    let answer = tokio::join!(b.handle.request(a.id(), ECHO, Vec::new()), serve).0;
    assert!(matches!(answer, Err(RequestError::Failed(_))), "{answer:?}");
}

#[tokio::test]
async fn a_node_that_never_answers_times_out() {
    let mesh = Mesh::new(1);
    let (a, mut requests) = server(&mesh, mesh.config(1), spec());
    let hasty = ProtocolSpec { timeout: Duration::from_secs(2), ..spec() };
    let b = asker(&mesh, mesh.config(2), &a, hasty).await;
    let silent = tokio::join!(b.handle.request(a.id(), ECHO, Vec::new()), requests.recv());
    assert_eq!(silent.0, Err(RequestError::TimedOut));
    assert!(silent.1.is_some(), "it did arrive");
}

#[tokio::test]
async fn an_unknown_node_is_unreachable() {
    let mesh = Mesh::new(1);
    let (a, _requests) = server(&mesh, mesh.config(1), spec());
    let b = asker(&mesh, mesh.config(2), &a, spec()).await;
    let nowhere = NodeKey::from_seed(&[99; 32]).node_id();
    assert_eq!(b.handle.request(nowhere, ECHO, Vec::new()).await, Err(RequestError::Unreachable));
}

#[tokio::test]
async fn a_node_known_only_to_the_dht_is_found() {
    let mesh = Mesh::new(1);
    let hub = mesh.start(mesh.config(1));
    let mut config = mesh.config(2);
    config.bootstrap = vec![hub.address().await];
    let (a, requests) = server(&mesh, config, spec());
    tokio::spawn(echo(requests));
    eventually("the hub knows it", async || hub.status().await.routing_table == 1).await;
    let b = asker(&mesh, mesh.stranger(3), &hub, spec()).await;
    // It may find the other one through the hub before the request.
    eventually("the hub is in the asker's routing table", async || b.status().await.routing_table >= 1).await;
    assert_eq!(b.handle.request(a.id(), ECHO, b"found".to_vec()).await.unwrap(), b"found");
}

#[tokio::test]
async fn a_node_that_has_moved_is_looked_up() {
    let mesh = Mesh::new(1);
    let hub = mesh.start(mesh.config(1));
    let address = hub.address().await;
    let at_the_hub = |mut config: NetworkConfig| {
        config.bootstrap = vec![address.clone()];
        config
    };
    let (a, requests) = server(&mesh, at_the_hub(mesh.config(2)), spec());
    drop(requests);
    let mut config = at_the_hub(mesh.config(3));
    config.protocols = vec![spec()];
    let b = mesh.start(config);
    let moved = a.id();
    eventually("it is in the peer store", async || b.status().await.known == 2).await;
    drop(a);
    eventually("it is gone", async || !b.is_connected_to(moved).await && !hub.is_connected_to(moved).await)
        .await;

    let mut config = at_the_hub(mesh.config(2));
    // A DHT client is in no routing table and does not dial nodes that it finds, so only the lookup leads to it.
    config.listen = vec!["/ip4/127.0.0.1/tcp/0".parse().unwrap()];
    let (again, requests) = server(&mesh, config, spec());
    tokio::spawn(echo(requests));
    eventually("the hub is connected to it", async || hub.is_connected_to(again.id()).await).await;
    assert_eq!(b.handle.request(moved, ECHO, b"new".to_vec()).await.unwrap(), b"new");
}

/// How many of `count` requests at once are answered and how many are refused by rate or by load.
async fn flood(spec: ProtocolSpec, count: usize) -> (usize, usize, u64) {
    let mesh = Mesh::new(1);
    let (a, requests) = server(&mesh, mesh.config(1), spec.clone());
    tokio::spawn(echo(requests));
    let b = asker(&mesh, mesh.config(2), &a, spec).await;
    let (mut answered, mut refused) = (0, 0);
    for _ in 0..count {
        match b.handle.request(a.id(), ECHO, Vec::new()).await {
            Ok(_) => answered += 1,
            Err(RequestError::TooOften) => refused += 1,
            Err(other) => panic!("{other}"),
        }
    }
    (answered, refused, a.status().await.requests_refused)
}

#[tokio::test]
async fn requests_beyond_the_rate_are_refused_and_counted() {
    let (answered, refused, counted) = flood(ProtocolSpec { per_peer_per_second: 1, ..spec() }, 50).await;
    assert!(answered >= 1 && refused > answered, "{answered} answered, {refused} refused");
    assert_eq!(counted, u64::try_from(refused).unwrap());
}

#[tokio::test]
async fn without_the_rate_limit_no_request_is_refused() {
    assert_eq!(flood(ProtocolSpec { per_peer_per_second: u32::MAX, ..spec() }, 50).await, (50, 0, 0));
}

/// Asks `node` once, in a task of its own.
fn ask(node: &Node, other: NodeId) -> tokio::task::JoinHandle<Result<Vec<u8>, RequestError>> {
    let handle = node.handle.clone();
    tokio::spawn(async move { handle.request(other, ECHO, Vec::new()).await })
}

#[tokio::test]
async fn requests_in_progress_are_bounded_and_slots_are_released() {
    let mesh = Mesh::new(1);
    let (a, mut requests) = server(&mesh, mesh.config(1), ProtocolSpec { inbound: 2, ..spec() });
    let b = asker(&mesh, mesh.config(2), &a, spec()).await;
    let waiting = [ask(&b, a.id()), ask(&b, a.id())];
    let held = [requests.recv().await.unwrap(), requests.recv().await.unwrap()];
    assert_eq!(b.handle.request(a.id(), ECHO, Vec::new()).await, Err(RequestError::Busy));
    assert_eq!(a.status().await.requests_refused, 1);
    for request in held {
        request.respond(b"late".to_vec()).await;
    }
    for waiting in waiting {
        assert_eq!(waiting.await.unwrap().unwrap(), b"late");
    }
    let serve = async { requests.recv().await.unwrap().respond(Vec::new()).await };
    assert_eq!(tokio::join!(b.handle.request(a.id(), ECHO, Vec::new()), serve).0, Ok(Vec::new()));
}
