//! A sealed node: no lookup finds it, it connects to its contacts only, and these use the connections that it has opened. The
//! same node without the seal is the variant.

use std::sync::Arc;

use nervure_p2p::{Contacts, InboundRequest, NetworkConfig, ProtocolSpec, RequestError};
use nervure_primitives::{Hash, NodeId};
use parking_lot::Mutex;
use tokio::sync::mpsc;

use crate::cluster::{Mesh, Node, eventually};

const ECHO: &str = "echo/1";

/// The contacts of a test, which may change.
#[derive(Debug, Default)]
struct Known(Mutex<Vec<NodeId>>);

impl Contacts for Known {
    fn current(&self) -> Vec<NodeId> {
        self.0.lock().clone()
    }
}

/// The hub of a mesh, which all bootstrap from, a node that may be a contact and one that is not, and the miner.
struct Setup {
    mesh: Mesh,
    hub: Node,
    friend: Node,
    other: Node,
    miner: Node,
    /// What reaches the miner.
    requests: mpsc::Receiver<InboundRequest>,
    contacts: Arc<Known>,
}

/// Settings of a node that bootstraps from `hub` and asks.
async fn member(mesh: &Mesh, seed: u8, hub: &Node) -> NetworkConfig {
    let mut config = mesh.config(seed);
    config.bootstrap = vec![hub.address().await];
    config.protocols = vec![ProtocolSpec::new(ECHO)];
    config
}

impl Setup {
    async fn new(sealed: bool) -> Self {
        let mesh = Mesh::new(1);
        let hub = mesh.start(mesh.config(1));
        let friend = mesh.start(member(&mesh, 2, &hub).await);
        let other = mesh.start(member(&mesh, 3, &hub).await);
        eventually("the hub knows both", async || hub.status().await.routing_table == 2).await;
        let contacts = Arc::new(Known(Mutex::new(vec![friend.id()])));
        let (sender, requests) = mpsc::channel(8);
        let mut config = member(&mesh, 4, &hub).await;
        config.requests = Some(sender);
        let config = if sealed { config.sealed(contacts.clone()) } else { config };
        let miner = mesh.start(config);
        eventually("the contact is connected", async || friend.is_connected_to(miner.id()).await).await;
        Self { mesh, hub, friend, other, miner, requests, contacts }
    }

    /// What `node` gets when it asks the miner.
    async fn asked_by(&mut self, node: &Node) -> Result<Vec<u8>, RequestError> {
        let ask = node.handle.request(self.miner.id(), ECHO, Vec::new());
        tokio::pin!(ask);
        tokio::select! {
            answer = &mut ask => answer,
            Some(request) = self.requests.recv() => {
                request.respond(b"here".to_vec()).await;
                ask.await
            }
        }
    }

    /// A node that is not registered and asks the miner, after a lookup for it.
    async fn asked_by_a_stranger(&mut self) -> Result<Vec<u8>, RequestError> {
        let mut config = self.mesh.stranger(9);
        config.bootstrap = vec![self.hub.address().await];
        config.protocols = vec![ProtocolSpec::new(ECHO)];
        let stranger = self.mesh.start(config);
        eventually("it knows the hub", async || stranger.status().await.routing_table >= 1).await;
        self.asked_by(&stranger).await
    }
}

/// Lookups by which a node meets those that are next to many keys.
async fn look_around(node: &Node) {
    for number in 0..16u8 {
        node.handle.closest(Hash::of("test/sealed", &[&[number]])).await.unwrap();
    }
}

#[tokio::test]
async fn a_stranger_does_not_find_a_sealed_node() {
    let mut setup = Setup::new(true).await;
    assert_eq!(setup.asked_by_a_stranger().await, Err(RequestError::Unreachable));
    assert_eq!(setup.hub.status().await.routing_table, 2, "it has no place in the table");
    let status = setup.miner.status().await;
    assert!(status.sealed && status.listening.is_empty() && status.external.is_empty(), "{status:?}");
    let mut variant = Setup::new(false).await;
    assert_eq!(variant.asked_by_a_stranger().await, Ok(b"here".to_vec()), "without the seal it is found");
}

#[tokio::test]
async fn a_sealed_node_connects_to_its_contacts_and_no_others() {
    let setup = Setup::new(true).await;
    look_around(&setup.miner).await;
    let asked = setup.miner.handle.request(setup.other.id(), ECHO, Vec::new()).await;
    assert_eq!(asked, Err(RequestError::Unreachable), "not even to ask it");
    assert!(!setup.other.is_connected_to(setup.miner.id()).await);
    let variant = Setup::new(false).await;
    eventually("without the seal a lookup connects them", async || {
        look_around(&variant.miner).await;
        variant.other.is_connected_to(variant.miner.id()).await
    })
    .await;
}

#[tokio::test]
async fn a_contact_asks_over_the_connection_that_the_sealed_node_opened() {
    let mut setup = Setup::new(true).await;
    let ask = setup.friend.handle.request(setup.miner.id(), ECHO, Vec::new());
    let serve = async { setup.requests.recv().await.unwrap().respond(b"here".to_vec()).await };
    assert_eq!(tokio::join!(ask, serve).0, Ok(b"here".to_vec()));
    let hides = async |node: &Node| {
        let peers = node.handle.peers().await.unwrap();
        peers.iter().find(|peer| peer.node == setup.miner.id()).is_some_and(|peer| peer.hides_address)
    };
    assert!(hides(&setup.friend).await && hides(&setup.hub).await);
    let variant = Setup::new(false).await;
    eventually("without the seal its address is for all", async || {
        let peers = variant.hub.handle.peers().await.unwrap();
        peers.iter().any(|peer| peer.node == variant.miner.id() && !peer.hides_address)
    })
    .await;
}

#[tokio::test]
async fn a_node_that_is_no_contact_any_more_is_disconnected_and_a_new_one_connected() {
    let setup = Setup::new(true).await;
    *setup.contacts.0.lock() = vec![setup.other.id()];
    eventually("the new contact is connected", async || {
        setup.other.is_connected_to(setup.miner.id()).await
            && !setup.friend.is_connected_to(setup.miner.id()).await
    })
    .await;
    assert!(setup.hub.is_connected_to(setup.miner.id()).await, "a bootstrap node stays");
}
