//! Many nodes in one process, over libp2p's memory transport, and the sybils among them.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use nervure_p2p::{
    AddressScope, Admission, DhtMode, GossipMessage, Multiaddr, Network, NetworkConfig, NetworkHandle,
    TopicSpec, Verdict,
};
use nervure_primitives::{MeshId, NodeId, NodeKey};
use nervure_protocol::{AskerClass, AskerStanding};
use parking_lot::Mutex;
use rand::{Rng, SeedableRng, rngs::StdRng, seq::IndexedRandom};
use tokio::{sync::mpsc, time::sleep};
use tokio_util::sync::{CancellationToken, DropGuard};

/// The mesh of all of them.
const MESH: MeshId = MeshId::from_bytes([3; 32]);

/// The topic of the measurement.
pub(crate) const TOPIC: &str = "news";

/// What an honest node's message begins with; any other is rejected, as one with a wrong signature is.
const HONEST: &[u8] = b"honest ";

/// Numbers for addresses: no two tests of this process share one.
static NEXT_ADDRESS: AtomicU64 = AtomicU64::new(1 << 40);

/// One crowd at a time: several in one process have less than a core for dozens of nodes, and then messages are late because of
/// the machine and not because of the sybils.
static TURN: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// Classes by node; strangers are not listed.
#[derive(Default)]
pub(crate) struct Roster(Mutex<BTreeMap<NodeId, AskerClass>>);

impl Roster {
    pub(crate) fn set(&self, node: NodeId, class: AskerClass) {
        self.0.lock().insert(node, class);
    }
}

impl Admission for Roster {
    fn is_registered(&self, node: &NodeId) -> bool {
        self.0.lock().contains_key(node)
    }

    fn standing(&self, node: &NodeId) -> AskerStanding {
        AskerStanding::of(self.0.lock().get(node).copied().unwrap_or(AskerClass::Stranger))
    }
}

/// What a sybil does with gossip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sybil {
    /// It takes its place in every mesh, hands nothing on and sends nothing.
    Silent,
    /// The same, and it sends junk that no honest node accepts, all the time.
    Floods,
}

/// How a crowd is made up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CrowdSize {
    pub(crate) honest: usize,
    pub(crate) sybils: usize,
    /// Honest nodes that each honest node dials.
    pub(crate) friends: usize,
    /// Honest nodes that each sybil dials.
    pub(crate) victims: usize,
    pub(crate) seed: u64,
}

/// A node of the crowd.
pub(crate) struct Member {
    pub(crate) handle: NetworkHandle,
    pub(crate) address: Multiaddr,
    _stop: DropGuard,
}

/// Honest nodes and sybils.
pub(crate) struct Crowd {
    pub(crate) honest: Vec<Member>,
    pub(crate) sybils: Vec<Member>,
    /// By honest node: the messages that it heard.
    heard: Vec<Arc<Mutex<BTreeSet<Vec<u8>>>>>,
    junk: Arc<AtomicUsize>,
    _turn: tokio::sync::MutexGuard<'static, ()>,
}

/// The key of number `number` of a crowd.
pub(crate) fn key(seed: u64, number: usize) -> NodeKey {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_be_bytes());
    bytes[8..16].copy_from_slice(&u64::try_from(number).unwrap().to_be_bytes());
    NodeKey::from_seed(&bytes)
}

/// Settings of a node in memory, without bootstrap nodes.
pub(crate) fn config(key: NodeKey) -> NetworkConfig {
    let mut config = NetworkConfig::new(key, MESH, AddressScope::Local);
    let address = NEXT_ADDRESS.fetch_add(1, Ordering::Relaxed);
    config.listen = vec![format!("/memory/{address}").parse().unwrap()];
    config.topics = vec![TopicSpec::new(TOPIC, 256)];
    config
}

/// Starts a node.
pub(crate) fn start(config: NetworkConfig, roster: &Arc<Roster>) -> (Member, mpsc::Receiver<GossipMessage>) {
    let stop = CancellationToken::new();
    let address = format!("{}/p2p/{}", config.listen[0], config.key.node_id().peer_id()).parse().unwrap();
    let (handle, gossip) = Network::start_in_memory(config, roster.clone(), stop.clone()).unwrap();
    (Member { handle, address, _stop: stop.drop_guard() }, gossip)
}

impl Crowd {
    /// Starts them; `classes` are those of the honest and of the sybils.
    pub(crate) async fn start(size: CrowdSize, classes: (AskerClass, AskerClass), sybil: Sybil) -> Self {
        let (roster, mut dice) = (Arc::<Roster>::default(), StdRng::seed_from_u64(size.seed));
        let _turn = TURN.lock().await;
        let mut crowd = Self { honest: vec![], sybils: vec![], heard: vec![], junk: Arc::default(), _turn };
        for number in 0..size.honest + size.sybils {
            let key = key(size.seed, number);
            let is_honest = number < size.honest;
            let class = if is_honest { classes.0 } else { classes.1 };
            if class != AskerClass::Stranger {
                roster.set(key.node_id(), class);
            }
            let mut config = config(key);
            let addresses: Vec<_> = crowd.honest.iter().map(|member| member.address.clone()).collect();
            let count = if is_honest { size.friends } else { size.victims };
            config.bootstrap = addresses.choose_multiple(&mut dice, count).cloned().collect();
            if size.friends == 0 {
                // No node answers lookups: otherwise honest nodes would find each other.
                config.mode = DhtMode::Client;
            }
            let (member, gossip) = start(config, &roster);
            match is_honest {
                true => crowd.add_honest(member, gossip),
                false => crowd.add_sybil(member, gossip, sybil, dice.random()),
            }
        }
        crowd
    }

    fn add_honest(&mut self, member: Member, mut gossip: mpsc::Receiver<GossipMessage>) {
        let (heard, junk) = (Arc::<Mutex<BTreeSet<Vec<u8>>>>::default(), self.junk.clone());
        self.heard.push(heard.clone());
        self.honest.push(member);
        tokio::spawn(async move {
            while let Some(message) = gossip.recv().await {
                let verdict = match message.data.starts_with(HONEST) {
                    true => {
                        heard.lock().insert(message.data.clone());
                        Verdict::Accept
                    }
                    false => {
                        junk.fetch_add(1, Ordering::Relaxed);
                        Verdict::Reject
                    }
                };
                message.judge(verdict).await;
            }
        });
    }

    fn add_sybil(
        &mut self,
        member: Member,
        mut gossip: mpsc::Receiver<GossipMessage>,
        sybil: Sybil,
        seed: u64,
    ) {
        let handle = member.handle.clone();
        self.sybils.push(member);
        // Ignored: not forwarded.
        tokio::spawn(async move {
            while let Some(message) = gossip.recv().await {
                message.judge(Verdict::Ignore).await;
            }
        });
        if sybil == Sybil::Floods {
            tokio::spawn(async move {
                for number in 0u64.. {
                    let junk = [&seed.to_be_bytes()[..], &number.to_be_bytes()].concat();
                    // Fails while it has no peers, and when the crowd has ended.
                    if handle.publish(TOPIC, junk).await.is_err() && handle.status().await.is_err() {
                        return;
                    }
                    sleep(Duration::from_millis(20)).await;
                }
            });
        }
    }

    /// How often an honest node judged junk.
    pub(crate) fn junk(&self) -> usize {
        self.junk.load(Ordering::Relaxed)
    }

    /// Waits until every honest node has as many honest peers as it dials, and every sybil has a peer.
    pub(crate) async fn connected(&self, size: CrowdSize) {
        let honest: BTreeSet<_> = self.honest.iter().map(|member| member.handle.node()).collect();
        let friends = size.friends.min(self.honest.len() - 1);
        for member in &self.honest {
            let friends_of = async || {
                let peers = member.handle.peers().await.unwrap();
                peers.iter().filter(|peer| honest.contains(&peer.node)).count()
            };
            wait(async || friends_of().await >= friends).await;
        }
        for member in &self.sybils {
            wait(async || member.handle.status().await.unwrap().connected >= 1).await;
        }
    }

    /// Every honest node publishes so many messages, one in each round. Returns the share of the messages that the others
    /// have heard when all have, or when nothing more comes.
    pub(crate) async fn delivery(&self, rounds: usize) -> f64 {
        for round in 0..rounds {
            for (number, member) in self.honest.iter().enumerate() {
                let message = [HONEST, format!("{round} {number}").as_bytes()].concat();
                // An author without a subscriber has to try again, as the node does.
                for _ in 0..500 {
                    if member.handle.publish(TOPIC, message.clone()).await.is_ok() {
                        break;
                    }
                    sleep(Duration::from_millis(20)).await;
                }
            }
            sleep(Duration::from_millis(50)).await;
        }
        let all = self.honest.len() * (self.honest.len() - 1) * rounds;
        let (mut heard, mut still) = (0, 0);
        // As long as something comes.
        while heard < all && still < 100 {
            sleep(Duration::from_millis(100)).await;
            let now = self.heard.iter().map(|heard| heard.lock().len()).sum();
            still = if now > heard { 0 } else { still + 1 };
            heard = now;
        }
        heard as f64 / all as f64
    }

    /// The share of honest nodes among the mesh peers of honest nodes.
    #[allow(dead_code, reason = "the example prints it, the tests do not")]
    pub(crate) async fn honest_share_of_meshes(&self) -> f64 {
        let honest: BTreeSet<_> = self.honest.iter().map(|member| member.handle.node()).collect();
        let (mut grafted, mut good) = (0, 0);
        for member in &self.honest {
            for peer in member.handle.peers().await.unwrap() {
                grafted += usize::from(peer.grafted);
                good += usize::from(peer.grafted && honest.contains(&peer.node));
            }
        }
        good as f64 / f64::max(grafted as f64, 1.0)
    }
}

/// Waits until `holds`, for a minute at most; what is measured then says what is missing.
pub(crate) async fn wait(holds: impl AsyncFn() -> bool) {
    for _ in 0..3000 {
        if holds().await {
            return;
        }
        sleep(Duration::from_millis(20)).await;
    }
}
