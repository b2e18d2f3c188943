//! The node's part in the mesh: the network, the catalog of experts, the directory. The rest of the node is built on it.

use std::{sync::Arc, time::Duration};

use nervure_ledger::spec::{MeshSpec, Role};
use nervure_p2p::{
    DhtMode, GossipMessage, InboundRequest, Multiaddr, Network, NetworkConfig, NetworkHandle,
    query::QueryServer,
};
use nervure_primitives::{MeshId, NodeKey};
use nervure_router::Router;
use nervure_subnet::mechanism::Corpus;
use prometheus_client::{metrics::counter::Counter, registry::Registry};
use tokio::sync::mpsc::Receiver;
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};

use super::{
    StartError, address,
    advertiser::Advertiser,
    anchor::{self, Anchoring},
    catalog::{self, ExpertCatalog},
    chain::{self, Chain, ChainRole, OpenChain},
    directory::{self, Directory, ProtocolHandlers},
    gossip::{self, TopicHandlers},
    metrics::{VerdictCounters, register_state},
    registry::LedgerRegistry,
    scope,
    score_gossip::{self, ScoreGossip},
    serving::ServedExperts,
    skew::{self, Skew},
    state_sync,
    validator::{Validator, ValidatorMetrics},
};
use crate::config::NodeConfig;

/// Name of the file with the known peers, in the node's directory.
const PEER_STORE: &str = "peers.cbor";

/// Between two sweeps of expired records.
const SWEEP_INTERVAL: Duration = Duration::from_secs(5);

/// How long the network may take to listen.
const LISTEN_TIMEOUT: Duration = Duration::from_secs(5);

/// A node's part in the mesh. It ends at once when it is dropped; [`Mesh::end`] shuts it down in order.
pub(crate) struct Mesh {
    pub id: MeshId,
    pub network: NetworkHandle,
    pub catalog: Arc<ExpertCatalog>,
    pub directory: Arc<Directory>,
    records: VerdictCounters,
    unhandled: UnhandledCounters,
    /// Validators' assignments and live scores.
    pub score_gossip: Arc<ScoreGossip>,
    /// How far this machine's clock is off.
    pub skew: Arc<Skew>,
    /// Where the network listens.
    pub listening: Vec<Multiaddr>,
    /// Whether the mesh spec names no other node to connect to.
    pub alone: bool,
    /// The chain, where this node follows it.
    pub chain: Option<Chain>,
    /// The anchoring of its checkpoints.
    pub anchoring: Option<Arc<Anchoring>>,
    tasks: TaskTracker,
    stop: DropGuard,
}

/// How many messages no part of this node handled. Clones share the same values.
#[derive(Clone, Default)]
pub(crate) struct UnhandledCounters {
    topics: Counter,
    protocols: Counter,
}

impl UnhandledCounters {
    /// Registers both.
    pub(crate) fn register(&self, registry: &mut Registry) {
        let topics = "Gossip messages ignored because no part of this node handles their topic";
        registry.register("gossip_unhandled", topics, self.topics.clone());
        let protocols = "Requests refused because no part of this node handles their protocol";
        registry.register("requests_unhandled", protocols, self.protocols.clone());
    }
}

/// What a node is started with.
#[derive(Clone, Copy)]
pub(crate) struct MeshSetup<'a> {
    pub config: &'a NodeConfig,
    pub spec: &'a MeshSpec,
    pub key: &'a NodeKey,
}

impl MeshSetup<'_> {
    /// Whether this node only asks, and stays no longer than a command runs.
    fn is_ephemeral(&self, registry: &LedgerRegistry) -> bool {
        registry.role(&self.key.node_id()).is_none() && self.config.role.is_none()
    }

    /// The time from one block to the next.
    fn block_time(&self) -> Duration {
        Duration::from_millis(self.spec.consensus.block_milliseconds.into())
    }
}

/// A network that listens, and what arrives there.
struct StartedNetwork {
    network: NetworkHandle,
    messages: Receiver<GossipMessage>,
    requests: Receiver<InboundRequest>,
    listening: Vec<Multiaddr>,
    alone: bool,
}

async fn start_network(
    setup: MeshSetup<'_>,
    registry: &LedgerRegistry,
    stop: &CancellationToken,
) -> Result<StartedNetwork, StartError> {
    let (inbox, requests) = directory::channel();
    let settings = NetworkConfig { requests: Some(inbox), ..network_config(setup, registry)? };
    let alone = settings.bootstrap.is_empty();
    let (network, messages) = Network::start(settings, Arc::new(registry.clone()), stop.clone())?;
    let listening = listening(&network).await?;
    Ok(StartedNetwork { network, messages, requests, listening, alone })
}

impl Mesh {
    /// Starts the network and the tasks that use it. Without `opened`, the chain is not followed.
    pub(crate) async fn start(
        setup: MeshSetup<'_>,
        registry: LedgerRegistry,
        opened: Option<OpenChain>,
    ) -> Result<Self, StartError> {
        let (stop, id) = (CancellationToken::new(), setup.spec.mesh_id());
        let guard = stop.clone().drop_guard();
        let started = start_network(setup, &registry, &stop).await?;
        let StartedNetwork { network, messages, requests, listening, alone } = started;
        let anchoring = opened.is_some().then(|| Anchoring::new(setup.config, setup.spec)).transpose()?;
        let anchoring = anchoring.map(Arc::new);
        let chain = opened.zip(anchoring.clone()).map(|(opened, anchoring)| {
            let opened = (opened, chain_role(setup.config));
            Chain::start(opened, (setup.spec, setup.key), network.clone(), anchoring)
        });
        let chain = chain.transpose().map_err(StartError::Thread)?;
        let is_ephemeral = setup.is_ephemeral(&registry);
        let score_gossip = Arc::new(ScoreGossip::new(id, registry.clone()));
        let catalog = Arc::new(ExpertCatalog::new(id, registry.clone()));
        let expiry = setup.spec.record_expiry();
        let directory = Directory::new(network.clone(), catalog.clone(), (id, registry), expiry);
        let mesh = Self {
            id,
            network,
            catalog,
            directory: Arc::new(directory),
            records: VerdictCounters::default(),
            unhandled: UnhandledCounters::default(),
            score_gossip,
            skew: Arc::default(),
            listening,
            alone,
            chain,
            anchoring,
            tasks: TaskTracker::new(),
            stop: guard,
        };
        mesh.spawn_handlers(messages, requests);
        mesh.spawn_chain_tasks(setup, &stop)?;
        mesh.spawn_upkeep(setup.config.follow, is_ephemeral, &stop);
        mesh.tasks.close();
        Ok(mesh)
    }

    /// Handles all gossip topics and request protocols: each part registers its own.
    fn spawn_handlers(&self, messages: Receiver<GossipMessage>, requests: Receiver<InboundRequest>) {
        let UnhandledCounters { topics, protocols } = &self.unhandled;
        let mut topics = TopicHandlers::new("topic", topics.clone());
        gossip::register(&mut topics, &self.catalog, &self.records);
        score_gossip::register(&mut topics, &self.score_gossip);
        let mut protocols = ProtocolHandlers::new("request protocol", protocols.clone());
        directory::register(&mut protocols, &self.catalog);
        skew::register(&mut protocols);
        if let (Some(chain), Some(anchoring)) = (&self.chain, &self.anchoring) {
            chain::register(&mut topics, &mut protocols, &chain.handle());
            anchor::register(&mut topics, &mut protocols, anchoring);
            state_sync::register(&mut protocols, &chain.handle());
        }
        self.tasks.spawn(gossip::run(messages, topics));
        self.tasks.spawn(directory::serve(requests, protocols));
    }

    /// Follows the subnets of the chain, and keeps and forwards its checkpoints.
    fn spawn_chain_tasks(&self, setup: MeshSetup<'_>, stop: &CancellationToken) -> Result<(), StartError> {
        let (Some(chain), Some(anchoring)) = (&self.chain, &self.anchoring) else { return Ok(()) };
        let (chain, spec) = (chain.handle(), setup.spec);
        let known = spec.subnets.iter().map(|subnet| subnet.netuid).collect();
        let following = gossip::follow(chain.watch(), self.network.clone(), known);
        let until = stop.clone();
        self.tasks.spawn(async move { until.run_until_cancelled(following).await });
        #[cfg(not(feature = "anchor-evm"))]
        anchor::check_supported(spec, &setup.config.anchor_rpc)?;
        #[cfg(feature = "anchor-evm")]
        if let Some(forwarder) = anchor::Forwarder::new(setup.config, spec, anchoring)? {
            self.tasks.spawn(forwarder.run(anchoring.clone(), stop.clone()));
        }
        let keeping = anchoring.clone().keep((chain, spec.clone()), self.network.clone(), stop.clone());
        self.tasks.spawn(keeping);
        Ok(())
    }

    /// Drops expired records, watches the clock's skew and warms the directory up.
    fn spawn_upkeep(&self, follows: bool, is_ephemeral: bool, stop: &CancellationToken) {
        self.tasks.spawn(sweep(self.catalog.clone(), stop.clone()));
        if follows {
            self.tasks.spawn(self.skew.clone().watch(self.network.clone(), stop.clone()));
        }
        let (directory, stop) = (self.directory.clone(), stop.clone());
        self.tasks.spawn(async move { stop.run_until_cancelled(directory.warm_up(is_ephemeral)).await });
    }

    /// Registers the metrics of all its parts.
    pub(crate) fn register_metrics(&self, registry: &mut Registry) {
        self.network.metrics().register(registry);
        let catalog = self.catalog.clone();
        register_state(registry, catalog::STATE, move || catalog.len());
        self.records.register(registry, gossip::RECORD_COUNTERS);
        self.score_gossip.metrics().register(registry);
        self.unhandled.register(registry);
        if let Some(chain) = &self.chain {
            chain.handle().register_metrics(registry);
        }
        if let Some(anchoring) = &self.anchoring {
            anchoring.register_metrics(registry);
        }
    }

    /// The advertiser of `experts`, for which `server` answers.
    pub(crate) fn advertiser(
        &self,
        setup: MeshSetup<'_>,
        experts: &Arc<ServedExperts>,
        server: &QueryServer,
    ) -> Advertiser {
        let MeshSetup { config, spec, key } = setup;
        Advertiser {
            key: key.clone(),
            mesh: self.id,
            expiry: spec.record_expiry(),
            addresses: address::query(config, &self.listening, server.local_addr(), scope(spec)),
            experts: experts.clone(),
            network: self.network.clone(),
            catalog: self.catalog.clone(),
            directory: self.directory.clone(),
        }
    }

    /// The validator that sets tasks with `texts` and scores the answers; none where the chain is not followed.
    pub(crate) fn validator(&self, setup: MeshSetup<'_>, router: Router, texts: Corpus) -> Option<Validator> {
        Some(Validator {
            key: setup.key.clone(),
            mesh: self.id,
            chain: self.chain.as_ref()?.handle(),
            catalog: self.catalog.clone(),
            score_gossip: self.score_gossip.clone(),
            router,
            network: self.network.clone(),
            corpus: Arc::new(texts),
            mechanisms: setup.config.mechanisms.clone(),
            dir: setup.config.dir.clone(),
            block_time: setup.block_time(),
            metrics: ValidatorMetrics::default(),
        })
    }

    /// Shuts down in order, and writes the peer store.
    pub(crate) async fn end(self) {
        if let Some(chain) = self.chain {
            // Waits for a commit, which would block a thread of the runtime.
            let _ = tokio::task::spawn_blocking(move || chain.end()).await;
        }
        drop(self.stop);
        self.network.stopped().await;
        self.tasks.wait().await;
    }
}

/// Whether the operator wants this node to make blocks.
fn chain_role(config: &NodeConfig) -> ChainRole {
    match config.role {
        Some(Role::Validator) => ChainRole::Validator,
        _ => ChainRole::Follower,
    }
}

fn network_config(setup: MeshSetup<'_>, registry: &LedgerRegistry) -> Result<NetworkConfig, StartError> {
    let MeshSetup { config, spec, key } = setup;
    let mut network = NetworkConfig::new(key.clone(), spec.mesh_id(), scope(spec));
    network.listen = address::listen(config.bind, config.p2p_port);
    network.reach.relay_server = config.relay_server;
    network.reach.mdns = config.mdns;
    network.external.clone_from(&config.external);
    network.topics = gossip::topics(spec.subnets.iter().map(|subnet| subnet.netuid));
    network.topics.extend(score_gossip::topics());
    if config.follow {
        network.families.push(gossip::later(spec.economy.max_subnets));
    }
    network.protocols = vec![directory::protocol(), skew::protocol()];
    if config.follow {
        network.topics.extend(chain::topics(chain_role(config) == ChainRole::Validator));
        network.protocols.push(chain::protocol());
        network.topics.push(anchor::topic());
    }
    network.protocols.push(anchor::protocol());
    network.protocols.push(state_sync::protocol());
    network.peer_store = Some(config.dir.join(PEER_STORE));
    if setup.is_ephemeral(registry) {
        // A DHT server would never be asked: routing tables hold registered nodes only.
        network.mode = DhtMode::Client;
    }
    network.bootstrap = address::bootstrap(spec, &key.node_id())?;
    Ok(network)
}

/// The addresses that the network listens on, once it does.
async fn listening(network: &NetworkHandle) -> Result<Vec<Multiaddr>, StartError> {
    let wait = async {
        loop {
            match network.status().await {
                Ok(status) if !status.listening.is_empty() => return Ok(status.listening),
                Ok(_) => tokio::time::sleep(Duration::from_millis(5)).await,
                Err(_) => return Err(StartError::NotListening),
            }
        }
    };
    tokio::time::timeout(LISTEN_TIMEOUT, wait).await.unwrap_or(Err(StartError::NotListening))
}

/// Drops expired records at intervals, so that they do not take the room of others.
async fn sweep(catalog: Arc<ExpertCatalog>, stop: CancellationToken) {
    while stop.run_until_cancelled(tokio::time::sleep(SWEEP_INTERVAL)).await.is_some() {
        catalog.expire();
    }
}
