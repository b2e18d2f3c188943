//! The node's part in the mesh: the network, the catalog of experts, the directory. The rest of the node is built on it.

mod network;
mod setup;

use std::{sync::Arc, time::Duration};

use nervure_ledger::spec::{Role, Scope};
use nervure_p2p::{GossipMessage, InboundRequest, Multiaddr, NetworkHandle};
use nervure_primitives::MeshId;
use nervure_protocol::AuditCase;
use nervure_router::Router;
use nervure_subnet::mechanism::Corpus;
use parking_lot::Mutex;
use prometheus_client::{metrics::counter::Counter, registry::Registry};
use tokio::sync::mpsc::Receiver;
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};

use self::network::{StartedNetwork, start_network};
pub(crate) use self::setup::MeshSetup;
use super::{
    StartError,
    address::QueryPlace,
    advertiser::Advertiser,
    anchor::{self, Anchoring},
    assignments::{self, AssignmentGossip},
    audit::{self, Auditor},
    catalog::{self, ExpertCatalog},
    chain::{self, Chain, ChainRole, OpenChain},
    directory::{self, Directory, ProtocolHandlers},
    faucet::Faucet,
    forward::{self, Forwarder},
    gossip::{self, TopicHandlers},
    light::{self, LightHandle, LightServer},
    live_scores,
    metrics::{VerdictCounters, register_state},
    peer_reach::ReachServer,
    registry::LedgerRegistry,
    score_gossip::{self, ScoreGossip},
    serving::ServedExperts,
    skew::{self, Skew},
    state_sync,
    traffic::{self, TrafficGossip},
    validator::{self, ReferenceModels, Validator, ValidatorMetrics},
};
use crate::config::NodeConfig;

/// Between two sweeps of expired records.
const SWEEP_INTERVAL: Duration = Duration::from_secs(5);

/// A node's part in the mesh. It ends at once when it is dropped; [`Mesh::end`] shuts it down in order.
pub(crate) struct Mesh {
    pub id: MeshId,
    pub network: NetworkHandle,
    pub catalog: Arc<ExpertCatalog>,
    pub directory: Arc<Directory>,
    records: VerdictCounters,
    unhandled: UnhandledCounters,
    /// Validators' live scores.
    pub score_gossip: Arc<ScoreGossip>,
    /// Repeats answers, where this node is a validator.
    pub auditor: Option<Arc<Auditor>>,
    /// Validators' batches of tasks.
    pub assignments: Arc<AssignmentGossip>,
    /// What users' queries look like.
    pub traffic: Arc<TrafficGossip>,
    /// Asks validators' questions for them, on a gateway.
    pub forwarder: Arc<Forwarder>,
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
    /// The client of others' proofs, where this node has no state.
    pub light: Option<LightHandle>,
    /// What it serves to clients without a state; none without a chain.
    pub light_server: Option<LightServer>,
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
        let assignments = Arc::new(AssignmentGossip::new(id, registry.clone()));
        let catalog = Arc::new(ExpertCatalog::new(id, registry.clone()));
        let traffic = TrafficGossip::new(setup.key.clone(), id, registry.clone(), setup.spec.mesh.scope);
        let traffic = Arc::new(traffic);
        let forwarder = Arc::new(Forwarder::new(registry.clone(), catalog.clone(), traffic.clone()));
        let expiry = setup.spec.record_expiry();
        let (auditor, cases) = auditor(setup, &registry).unzip();
        let light = setup.light(&network);
        let light_server = chain.as_ref().map(|chain| light_server(setup, chain, &catalog));
        let directory = Directory::new(network.clone(), catalog.clone(), (id, registry.clone()), expiry);
        let directory = directory.with_light(light.clone());
        let mesh = Self {
            id,
            network,
            catalog,
            directory: Arc::new(directory),
            records: VerdictCounters::default(),
            unhandled: UnhandledCounters::default(),
            score_gossip,
            auditor,
            assignments,
            traffic,
            forwarder,
            skew: Arc::default(),
            listening,
            alone,
            chain,
            anchoring,
            light,
            light_server,
            tasks: TaskTracker::new(),
            stop: guard,
        };
        mesh.spawn_handlers(messages, requests, mesh.faucet(setup));
        if let (Some(auditor), Some(cases)) = (&mesh.auditor, cases) {
            mesh.tasks.spawn(auditor.clone().run(cases, stop.clone()));
        }
        mesh.spawn_chain_tasks(setup, &stop)?;
        mesh.spawn_upkeep(registry, (setup.config.follow, is_ephemeral), &stop);
        mesh.tasks.close();
        Ok(mesh)
    }

    /// The faucet of this node, if it has one and a chain.
    fn faucet(&self, setup: MeshSetup<'_>) -> Option<Arc<Faucet>> {
        let (settings, chain) = (setup.config.faucet.clone()?, self.chain.as_ref()?.handle());
        let mesh = (self.id, setup.spec.mesh.scope == Scope::Local);
        Some(Faucet::new(settings, mesh, chain, self.network.clone()))
    }

    /// Handles all gossip topics and request protocols: each part registers its own.
    fn spawn_handlers(
        &self,
        messages: Receiver<GossipMessage>,
        requests: Receiver<InboundRequest>,
        faucet: Option<Arc<Faucet>>,
    ) {
        let UnhandledCounters { topics, protocols } = &self.unhandled;
        let mut topics = TopicHandlers::new("topic", topics.clone());
        gossip::register(&mut topics, &self.catalog, &self.records);
        score_gossip::register(&mut topics, &self.score_gossip);
        assignments::register(&mut topics, &self.assignments);
        traffic::register(&mut topics, &self.traffic);
        let mut protocols = ProtocolHandlers::new("request protocol", protocols.clone());
        directory::register(&mut protocols, &self.catalog);
        skew::register(&mut protocols);
        if let Some(auditor) = &self.auditor {
            audit::register(&mut protocols, auditor);
        }
        live_scores::register(&mut protocols, &self.score_gossip);
        if let Some(server) = &self.light_server {
            light::register(&mut protocols, server);
        }
        ReachServer::new(self.network.clone(), self.chain.as_ref().map(Chain::handle))
            .register(&mut protocols);
        if let Some(faucet) = faucet {
            faucet.register(&mut protocols);
        }
        forward::register(&mut protocols, &self.forwarder);
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
    fn spawn_upkeep(
        &self,
        registry: LedgerRegistry,
        (follows, is_ephemeral): (bool, bool),
        stop: &CancellationToken,
    ) {
        self.tasks.spawn(sweep(self.catalog.clone(), stop.clone()));
        if follows {
            self.tasks.spawn(self.skew.clone().watch(self.network.clone(), stop.clone()));
        }
        let (directory, stop) = (self.directory.clone(), stop.clone());
        let (network, score_gossip) = (self.network.clone(), self.score_gossip.clone());
        let chain = self.chain.as_ref().filter(|_| is_ephemeral).map(Chain::handle);
        let warming_up = async move {
            if let Some(chain) = chain {
                // Records of nodes that were registered later than the last block here would be refused.
                let _ = chain.catch_up().await;
            }
            directory.warm_up(is_ephemeral).await;
            // A client without a state does not know who may validate, and could verify none.
            if follows {
                live_scores::fetch(&network, &score_gossip, registry.subnets()).await;
            }
        };
        self.tasks.spawn(async move { stop.run_until_cancelled(warming_up).await });
    }

    /// Registers the metrics of all its parts.
    pub(crate) fn register_metrics(&self, registry: &mut Registry) {
        self.network.metrics().register(registry);
        let catalog = self.catalog.clone();
        register_state(registry, catalog::STATE, move || catalog.len());
        self.records.register(registry, gossip::RECORD_COUNTERS);
        self.score_gossip.counters().register(registry, score_gossip::LIVE_SCORE_COUNTERS);
        self.assignments.metrics().register(registry);
        self.traffic.counters().register(registry, traffic::TRAFFIC_COUNTERS);
        self.forwarder.metrics().register(registry);
        self.unhandled.register(registry);
        if let Some(auditor) = &self.auditor {
            auditor.metrics().register(registry);
        }
        if let Some(chain) = &self.chain {
            chain.handle().register_metrics(registry);
        }
        if let Some(anchoring) = &self.anchoring {
            anchoring.register_metrics(registry);
        }
    }

    /// The advertiser of `experts`, which are asked at `place`.
    pub(crate) fn advertiser(
        &self,
        setup: MeshSetup<'_>,
        experts: &Arc<ServedExperts>,
        place: QueryPlace,
    ) -> Advertiser {
        let MeshSetup { spec, key, .. } = setup;
        Advertiser {
            key: key.clone(),
            mesh: self.id,
            expiry: spec.record_expiry(),
            place,
            experts: experts.clone(),
            network: self.network.clone(),
            catalog: self.catalog.clone(),
            directory: self.directory.clone(),
        }
    }

    /// Counts and publishes what users of this gateway ask, and asks validators' questions with `router`.
    pub(crate) fn serve_validators(&self, setup: MeshSetup<'_>, router: Router, stop: CancellationToken) {
        self.forwarder.serve(router, setup.config.max_budget);
        self.tasks.spawn(self.traffic.clone().publish(self.network.clone(), stop));
    }

    /// The validator that sets tasks with `texts` and `references` and scores the answers; none where the chain is not followed.
    ///
    /// # Errors
    /// When the record of what it has asked cannot be read.
    pub(crate) fn validator(
        &self,
        setup: MeshSetup<'_>,
        router: Router,
        (texts, references): (Corpus, ReferenceModels),
    ) -> std::io::Result<Option<Validator>> {
        let Some(auditor) = self.auditor.clone() else { return Ok(None) };
        let Some(chain) = &self.chain else { return Ok(None) };
        Ok(Some(Validator {
            key: setup.key.clone(),
            mesh: self.id,
            chain: chain.handle(),
            catalog: self.catalog.clone(),
            score_gossip: self.score_gossip.clone(),
            auditor,
            assignments: self.assignments.clone(),
            traffic: self.traffic.clone(),
            router,
            network: self.network.clone(),
            corpus: Arc::new(texts),
            cells: Arc::new(Mutex::new(validator::cells(&setup.config.dir)?)),
            mechanisms: setup.config.mechanisms.clone(),
            references,
            dir: setup.config.dir.clone(),
            block_time: setup.block_time(),
            metrics: ValidatorMetrics::default(),
        }))
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

/// The auditor of a validator, and its queue.
fn auditor(setup: MeshSetup<'_>, registry: &LedgerRegistry) -> Option<(Arc<Auditor>, Receiver<AuditCase>)> {
    let MeshSetup { config, spec, key, .. } = setup;
    let ids = (key.node_id(), spec.mesh_id());
    let is_validator = config.role == Some(Role::Validator);
    is_validator.then(|| Auditor::new(ids, registry.clone(), audit::built_in(), &config.dir))
}

/// What this node proves to clients without a state.
fn light_server(setup: MeshSetup<'_>, chain: &Chain, catalog: &Arc<ExpertCatalog>) -> LightServer {
    LightServer { chain: chain.handle(), catalog: catalog.clone(), spec: setup.spec.to_toml().into() }
}

/// Whether the operator wants this node to make blocks.
fn chain_role(config: &NodeConfig) -> ChainRole {
    match config.role {
        Some(Role::Validator) => ChainRole::Validator,
        _ => ChainRole::Follower,
    }
}

/// Drops expired records at intervals, so that they do not take the room of others.
async fn sweep(catalog: Arc<ExpertCatalog>, stop: CancellationToken) {
    while stop.run_until_cancelled(tokio::time::sleep(SWEEP_INTERVAL)).await.is_some() {
        catalog.expire();
    }
}
