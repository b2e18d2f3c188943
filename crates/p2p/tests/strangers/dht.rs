//! Sybils with registered keys next to a key of the directory: they are responsible for it, and answer with nothing.
//!
//! The directory of this test is the node's, in small: each honest node hands its name to the responsible nodes of its
//! keys, and a node that searches asks one for each copy of the shard. Kademlia, its tables and its lookups are real.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use futures::{StreamExt, stream};
use nervure_primitives::{Hash, MeshId, Netuid, NodeId, NodeKey};
use nervure_protocol::{
    AskerClass,
    directory::{COPIES, REPLICAS, key, shard},
};
use rand::{SeedableRng, rngs::StdRng, seq::IndexedRandom};
use sha2::{Digest, Sha256};

use crate::crowd::{self, Member, Roster, config, start};

const MESH: MeshId = MeshId::from_bytes([3; 32]);

/// Lookups at once.
const MAX_LOOKUPS: usize = 16;

/// Honest nodes that search.
const SEARCHERS: usize = 20;

/// How large a DHT is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DhtSize {
    pub(crate) honest: usize,
    pub(crate) sybils: usize,
    pub(crate) seed: u64,
}

/// Kademlia's distance between a node and a key, as libp2p measures it.
fn distance(node: &NodeId, key: &Hash) -> [u8; 32] {
    let (node, key) = (Sha256::digest(node.peer_id().to_bytes()), Sha256::digest(key.as_bytes()));
    std::array::from_fn(|at| node[at] ^ key[at])
}

/// The key of everything in a shard.
fn everything(shard: u8, copy: u8) -> Hash {
    key(&MESH, (Netuid(1), None), shard, 7, copy)
}

/// Keys of nodes that are closer to `target` than any of `honest`.
fn ground(count: usize, target: &Hash, honest: &[NodeId]) -> Vec<NodeKey> {
    let closest = honest.iter().map(|node| distance(node, target)).min().unwrap();
    let tried = (1 << 32..).map(|number| crowd::key(99, number));
    tried.filter(|key| distance(&key.node_id(), target) < closest).take(count).collect()
}

/// A DHT in which sybils surround a copy of the first shard; and which nodes are honest.
pub(crate) struct Dht {
    members: Vec<Member>,
    honest: BTreeSet<NodeId>,
}

impl Dht {
    pub(crate) async fn start(size: DhtSize) -> Self {
        let honest: Vec<_> = (0..size.honest).map(|number| crowd::key(size.seed, number)).collect();
        let nodes: Vec<_> = honest.iter().map(NodeKey::node_id).collect();
        let sybils = ground(size.sybils, &everything(0, 0), &nodes);
        let (roster, mut dice) = (Arc::<Roster>::default(), StdRng::seed_from_u64(size.seed));
        let mut members: Vec<Member> = Vec::new();
        for key in honest.into_iter().chain(sybils) {
            roster.set(key.node_id(), AskerClass::Registered);
            let mut config = config(key);
            config.topics.clear();
            let known: Vec<_> = members.iter().map(|member| member.address.clone()).collect();
            config.bootstrap = known.choose_multiple(&mut dice, 3).cloned().collect();
            members.push(start(config, &roster).0);
        }
        let dht = Self { members, honest: nodes.into_iter().collect() };
        dht.settled().await;
        dht
    }

    /// Waits until every node has some of the others in its table, and has looked around.
    async fn settled(&self) {
        for member in &self.members {
            crowd::wait(async || member.handle.status().await.unwrap().routing_table >= 3).await;
        }
        // Each lookup makes a node known to those that it asks.
        let own = |member: &Member| Hash::of("own", &[member.handle.node().as_bytes()]);
        self.closest(self.members.iter().map(|member| (member, own(member)))).await;
    }

    /// The nodes that each member finds closest to a key, in order.
    async fn closest<'m>(&self, lookups: impl Iterator<Item = (&'m Member, Hash)>) -> Vec<Vec<NodeId>> {
        let lookups = lookups.map(async |(member, key)| member.handle.closest(key).await.unwrap());
        stream::iter(lookups).buffered(MAX_LOOKUPS).collect().await
    }

    /// The share of honest experts of the first shard that honest nodes find, with so many copies of each key.
    pub(crate) async fn found(&self, copies: u8) -> f64 {
        // By responsible node: the names that it was handed.
        let mut held: BTreeMap<NodeId, BTreeSet<NodeId>> = BTreeMap::new();
        let replicas = REPLICAS * usize::from(COPIES) / usize::from(copies);
        let honest = || self.members.iter().filter(|member| self.honest.contains(&member.handle.node()));
        let mut experts = BTreeSet::new();
        let serving: Vec<_> = honest().filter(|member| shard(&member.handle.node()) == 0).collect();
        for copy in 0..copies {
            let lookups = serving.iter().map(|member| (*member, everything(0, copy)));
            for (member, nodes) in serving.iter().zip(self.closest(lookups).await) {
                experts.insert(member.handle.node());
                for node in nodes.into_iter().take(replicas) {
                    held.entry(node).or_default().insert(member.handle.node());
                }
            }
        }
        let searching: Vec<_> = honest().take(SEARCHERS).collect();
        let mut answers = vec![Vec::new(); searching.len()];
        for copy in 0..copies {
            let lookups = searching.iter().map(|member| (*member, everything(0, copy)));
            let found = self.closest(lookups).await;
            answers.iter_mut().zip(found).for_each(|(all, nodes)| all.push(nodes));
        }
        let (mut found, mut wanted) = (0, 0);
        for (member, answers) in searching.iter().zip(answers) {
            let mut known = BTreeSet::from([member.handle.node()]);
            for nodes in answers {
                let answers = usize::from(COPIES / copies);
                for node in nodes.iter().filter(|node| **node != member.handle.node()).take(answers) {
                    // A sybil answers with an empty page.
                    if self.honest.contains(node) {
                        known.extend(held.get(node).into_iter().flatten());
                    }
                }
            }
            found += experts.intersection(&known).count();
            wanted += experts.len();
        }
        found as f64 / wanted as f64
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sybils_next_to_a_key_do_not_hide_experts() {
    let dht = Dht::start(DhtSize { honest: 22, sybils: 4, seed: 1 }).await;
    let found = dht.found(COPIES).await;
    assert!(found >= 0.99, "{found}");
    let variant = dht.found(1).await;
    assert!(variant < 0.2, "with one key for each shard the sybils hide it: {variant}");
}
