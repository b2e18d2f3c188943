//! A stranger grafts itself into the meshes of a topic, to take the places of registered nodes.

use std::sync::Arc;

use nervure_p2p::Admission;
use nervure_primitives::NodeId;
use nervure_protocol::{AskerClass, AskerStanding};

use crate::{
    cluster::eventually,
    crowd::{Roster, config, key, start},
};

/// The seed of the keys, and the number of the only registered peer.
const SEED: u64 = 10;
const MEMBER: usize = 1;

/// A registry that also tells the score of strangers, or does not: the variant.
struct Registry {
    roster: Roster,
    strangers: AskerClass,
}

impl Admission for Registry {
    fn is_registered(&self, node: &NodeId) -> bool {
        self.roster.is_registered(node)
    }

    fn standing(&self, node: &NodeId) -> AskerStanding {
        match self.is_registered(node) {
            true => self.roster.standing(node),
            false => AskerStanding::of(self.strangers),
        }
    }
}

/// How many of ten strangers are in a mesh of the victim, once a registered peer is, and so is a stranger that the variant
/// lets in.
async fn strangers_in_the_mesh(as_class: AskerClass) -> usize {
    let everyone = Arc::<Roster>::default();
    let roster = Roster::default();
    let victim_config = config(key(SEED, 0));
    for number in [0, MEMBER] {
        roster.set(key(SEED, number).node_id(), AskerClass::Registered);
    }
    // To the peers all are registered.
    for number in 0..12 {
        everyone.set(key(SEED, number).node_id(), AskerClass::Registered);
    }
    let registry = Arc::new(Registry { roster, strangers: as_class });
    let stop = tokio_util::sync::CancellationToken::new();
    let address: nervure_p2p::Multiaddr =
        format!("{}/p2p/{}", victim_config.listen[0], victim_config.key.node_id().peer_id()).parse().unwrap();
    let (victim, _gossip) =
        nervure_p2p::Network::start_in_memory(victim_config, registry, stop.clone()).unwrap();
    let _stop = stop.drop_guard();
    let mut peers = Vec::new();
    for number in (2..12).chain([MEMBER]) {
        let mut config = config(key(SEED, number));
        config.bootstrap = vec![address.clone()];
        peers.push(start(config, &everyone));
    }
    let grafted = async |registered: bool| {
        let peers = victim.peers().await.unwrap();
        peers.iter().filter(|peer| peer.grafted && peer.registered == registered).count()
    };
    eventually("all are connected", async || victim.status().await.unwrap().connected == 11).await;
    eventually("the registered peer is in the mesh", async || grafted(true).await == 1).await;
    if as_class != AskerClass::Stranger {
        eventually("a stranger is in the mesh", async || grafted(false).await > 0).await;
    }
    grafted(false).await
}

#[tokio::test]
async fn a_strangers_graft_is_refused() {
    assert_eq!(strangers_in_the_mesh(AskerClass::Stranger).await, 0);
    let variant = strangers_in_the_mesh(AskerClass::Registered).await;
    assert!(variant > 0, "with the blacklist alone, strangers take places in the mesh");
}
