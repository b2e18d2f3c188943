//! A running node: its parts, wired together, and their orderly end.
//!
//! One task for each long-lived part: the network's swarm, the gossip handlers, the advertiser of own experts, the
//! sweeper of expired records, the HTTP API; the query endpoints have threads of their own. They share the
//! [`catalog`](catalog::ExpertCatalog) of experts and reach each other through handles.
//!
//! Shutdown is ordered: the HTTP API finishes its answers while experts are withdrawn from the mesh; after that the
//! query endpoint and the network stop.

mod address;
mod advertiser;
mod anchor;
mod assignments;
mod audit;
mod catalog;
mod chain;
pub(crate) mod clock;
mod dialer;
mod directory;
mod dispatch;
mod earning;
mod error;
mod experts;
mod faucet;
mod forward;
mod gossip;
mod ledger;
mod light;
mod live_scores;
mod mesh;
mod metrics;
mod peer_reach;
mod peers;
pub(crate) mod ports;
mod reach;
mod receipts;
mod registry;
mod routing;
mod score_gossip;
mod sealed;
mod service;
mod serving;
mod skew;
mod state_sync;
mod traffic;
mod validator;
mod view;

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use nervure_gateway::{ApiKey, Gateway, GatewayConfig, NamedKeys};
use nervure_ledger::{
    spec::{self, MeshSpec},
    upgrade::UnknownVersion,
};
use nervure_p2p::{
    AddressScope, QueryStreams,
    query::{ClientConfig, MappedPort, QueryClient, QueryServer, ServerConfig},
};
use nervure_primitives::{NodeId, NodeKey};
use nervure_router::Router;
use nervure_testnet::{NodeFile, ProcessRef};
use prometheus_client::registry::Registry;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{api_token, config::NodeConfig};
use audit::Releaser;
use chain::{Chain, OpenChain, OpenError};
use ledger::LedgerQueries;
use peer_reach::PeerReach;
use receipts::ReceiptSigner;
use service::NodeService;
use serving::ServedExperts;
use validator::ReferenceModels;

pub(crate) use anchor::{AnchoredError, KEY_FILE as ANCHOR_KEY_FILE, last_anchored};
pub(crate) use audit::built_in as audit_models;
pub(crate) use chain::{EVIDENCE_FILE, LastBlock, has_file as has_chain, last_block, read_evidence};
pub(crate) use earning::earns_nothing;
pub use error::StartError;
pub(crate) use faucet::{FaucetSettings, Payment};
pub(crate) use light::{LightFailure, PeerFault};
pub(crate) use light::{ProvenSlots, fetch_spec};
pub(crate) use mesh::{Mesh, MeshSetup};
use registry::Askers;
pub(crate) use registry::LedgerRegistry;
pub(crate) use state_sync::{StateSyncError, begin, begin_from_file};

/// How long an unregistered node waits for the next block, which may register it.
const CATCH_UP_TIMEOUT: Duration = Duration::from_secs(8);

/// A running node. Made by [`Node::builder`].
pub struct Node {
    file: NodeFile,
    dir: PathBuf,
    /// The tasks that use the mesh; they end first.
    above: TaskTracker,
    mesh: Mesh,
    query: Option<Arc<QueryServer>>,
}

impl Node {
    /// Starts a node of the mesh `spec` under `key`; it runs until `stop`. Its `node.json` is written when all
    /// its sockets are bound.
    pub(crate) async fn start(
        config: NodeConfig,
        spec: &MeshSpec,
        key: NodeKey,
        stop: CancellationToken,
    ) -> Result<Self, StartError> {
        let started = Instant::now();
        let founded = || spec.subnets.iter().map(|subnet| subnet.netuid);
        let slots = (!config.follow).then(|| Arc::new(ProvenSlots::new(founded())));
        let (opened, registry) = open_chain(&config, spec, (key.node_id(), slots.as_ref()))?;
        ports::check(&config)?;
        let setup = MeshSetup { config: &config, spec, key: &key, slots: slots.as_ref() };
        let mesh = Mesh::start(setup, registry.clone(), opened).await?;
        admitted(&config, &mesh, &registry, key.node_id()).await?;
        earning::warn_unless_joined(&config, &registry, key.node_id());
        earning::warn_unless_paid(&config, &registry, key.node_id());
        let serving = Serving::start(setup, &registry).await?;
        let texts = validator::corpus(config.corpus.as_deref(), spec.mesh.scope)?;
        let client = QueryClient::start(ClientConfig::new(key.clone(), mesh.id))?;
        let dialled = (!config.sealed).then(|| scope(spec));
        let router = routing::router(&mesh, client.clone(), dialled);
        let is_validator = config.role == Some(spec::Role::Validator);
        let validator = match is_validator {
            true => {
                let references = ReferenceModels::new(experts::references(&config.references).await?);
                let material = (texts, references);
                mesh.validator(setup, router.clone(), material).map_err(StartError::AskedCells)?
            }
            false => None,
        };
        if config.role == Some(spec::Role::Gateway) {
            mesh.serve_validators(setup, router.clone(), stop.clone());
        }
        let http = gateway_config(&config)?;
        let mut metrics = mesh_metrics(&mesh, &router, &serving);
        http.metrics.register(&mut metrics);
        if let Some(validator) = &validator {
            validator.metrics.register(&mut metrics);
        }
        let (releaser, released) =
            Releaser::new(config.release_percent, mesh.network.clone(), registry, mesh.id);
        let start = ServiceStart { router, client, releaser, started };
        let service = node_service(setup, &mesh, &serving, metrics, start);
        let gateway = Gateway::bind(http, Arc::new(service)).await?;
        let file = node_file(&config, &mesh, gateway.local_addr(), serving.server.as_deref());
        file.write(&config.dir)
            .map_err(|source| StartError::NodeFile { path: config.dir.join(NodeFile::NAME), source })?;
        let above = TaskTracker::new();
        above.spawn(gateway.run(stop.clone()));
        above.spawn(released.run(stop.clone()));
        serving.spawn(&above, setup, &mesh, &stop);
        if let Some(validator) = validator {
            above.spawn(validator.run(stop));
        }
        above.close();
        Ok(Self { file, dir: config.dir, above, mesh, query: serving.server })
    }

    /// The address of the HTTP API, with the port that was chosen.
    pub fn http_addr(&self) -> SocketAddr {
        self.file.http
    }

    /// The node's id: the public half of its key.
    pub fn id(&self) -> NodeId {
        self.file.node
    }

    /// The content of `node.json`, by which other programs on this machine find the node.
    pub fn file(&self) -> &NodeFile {
        &self.file
    }

    /// Waits until the mesh reaches a block of a protocol version that this program does not know. The node has stopped
    /// following the chain then, and should be ended.
    pub async fn outdated(&self) -> UnknownVersion {
        let Some(chain) = &self.mesh.chain else { return std::future::pending().await };
        let mut view = chain.handle().watch();
        let outdated =
            view.wait_for(|view| view.outdated.is_some()).await.ok().and_then(|view| view.outdated);
        match outdated {
            Some(unknown) => unknown,
            // The chain has ended without one.
            None => std::future::pending().await,
        }
    }

    /// Waits until this node has the newest blocks, for a few seconds at most, or has verified the newest one. Returns the
    /// age of the last block if that is old then.
    pub(crate) async fn catch_up(&self) -> Result<Option<Duration>, LightFailure> {
        if let Some(light) = &self.mesh.light {
            return light.age_if_old().await;
        }
        match &self.mesh.chain {
            Some(chain) => Ok(chain.handle().catch_up().await),
            None => Ok(None),
        }
    }

    /// Claims tokens for an owner from a node that has a faucet; only for a client without a state.
    pub(crate) async fn claim_tokens(&self, owner: NodeId) -> Result<Payment, String> {
        let light = self.mesh.light.as_ref().ok_or("this node has a state of its own")?;
        faucet::claim(&self.mesh.network, light, owner).await
    }

    /// Waits until `stop` was cancelled and the node has shut down.
    pub async fn wait(mut self) {
        self.above.wait().await;
        self.mesh.end().await;
        if let Some(query) = self.query.take() {
            // Joins a thread, which would block one of the runtime.
            let _ = tokio::task::spawn_blocking(move || drop(query)).await;
        }
        if let Err(error) = NodeFile::remove(&self.dir) {
            tracing::warn!(%error, "cannot remove node.json");
        }
    }
}

/// The experts of this node, and the endpoint that answers for them.
struct Serving {
    experts: Arc<ServedExperts>,
    /// None where there are no experts.
    server: Option<Arc<QueryServer>>,
    /// The port of the server, where the local router is asked to open it.
    mapped: Option<MappedPort>,
}

impl Serving {
    /// Connects to the experts of the configuration, and listens for queries to them.
    async fn start(setup: MeshSetup<'_>, registry: &LedgerRegistry) -> Result<Self, StartError> {
        let MeshSetup { config, spec, key, .. } = setup;
        let (node, mesh) = (key.node_id(), spec.mesh_id());
        let experts = experts::start(&config.experts, &node.to_string(), &registry.netuids(&node)).await?;
        let experts = Arc::new(experts.signing(ReceiptSigner::new(key.clone(), mesh)));
        if experts.iter().next().is_none() {
            return Ok(Self { experts, server: None, mapped: None });
        }
        let settings = ServerConfig::new(key.clone(), mesh, config.query_bind());
        let askers = Askers::of(registry.clone(), experts.iter().map(|served| served.netuid));
        let server = QueryServer::start(settings, Arc::new(askers), experts.clone())?;
        let mapped = setup.mapped_port(&server);
        Ok(Self { experts, server: Some(Arc::new(server)), mapped })
    }

    /// Advertises the experts, and answers queries that arrive on the swarm's own connections.
    fn spawn(&self, tasks: &TaskTracker, setup: MeshSetup<'_>, mesh: &Mesh, stop: &CancellationToken) {
        let streams = mesh.network.query_streams();
        let Some(server) = &self.server else { return };
        if let Some(streams) = streams {
            tasks.spawn(answer_over_swarm(streams, server.clone(), stop.clone()));
        }
        if let Some(mapped) = self.mapped.clone() {
            tasks.spawn(mapped.keep_open(stop.clone()));
        }
        let place = setup.place(server, self.mapped.clone());
        tasks.spawn(mesh.advertiser(setup, &self.experts, place).run(stop.clone()));
    }
}

/// Opens the chain if the node follows it, and the registry that it fills; without it, that of what is proven.
fn open_chain(
    config: &NodeConfig,
    spec: &MeshSpec,
    (node, slots): (NodeId, Option<&Arc<ProvenSlots>>),
) -> Result<(Option<OpenChain>, LedgerRegistry), StartError> {
    if let Some(slots) = slots {
        return Ok((None, LedgerRegistry::proven(spec, slots.clone()).map_err(OpenError::from)?));
    }
    let opened = OpenChain::open(config, spec, node)?;
    let registry = LedgerRegistry::new(opened.view());
    Ok((Some(opened), registry))
}

/// A registry with the metrics of these parts.
fn mesh_metrics(mesh: &Mesh, router: &Router, serving: &Serving) -> Registry {
    let mut registry = metrics::registry();
    mesh.register_metrics(&mut registry);
    router.metrics().register(&mut registry);
    if let Some(server) = &serving.server {
        server.metrics().register(&mut registry);
    }
    registry
}

/// What the HTTP API's service gets to keep when the node starts.
struct ServiceStart {
    router: Router,
    client: QueryClient,
    releaser: Releaser,
    started: Instant,
}

/// What the HTTP API asks.
fn node_service(
    setup: MeshSetup<'_>,
    mesh: &Mesh,
    serving: &Serving,
    metrics: Registry,
    ServiceStart { router, client, releaser, started }: ServiceStart,
) -> NodeService {
    let peer_reach = PeerReach {
        network: mesh.network.clone(),
        catalog: mesh.catalog.clone(),
        client,
        scope: (!setup.config.sealed).then(|| scope(setup.spec)),
    };
    NodeService {
        peer_reach,
        mesh: mesh.id,
        role: setup.config.role,
        started,
        alone: mesh.alone,
        is_local: setup.spec.mesh.scope == spec::Scope::Local,
        query: serving.server.as_deref().map(|server| setup.place(server, serving.mapped.clone())),
        network: mesh.network.clone(),
        ledger: LedgerQueries {
            chain: mesh.chain.as_ref().map(Chain::handle),
            anchoring: mesh.anchoring.clone(),
            light: mesh.light.clone(),
            block_milliseconds: setup.spec.consensus.block_milliseconds,
        },
        router,
        releaser,
        auditor: mesh.auditor.clone(),
        catalog: mesh.catalog.clone(),
        directory: mesh.directory.clone(),
        traffic: mesh.traffic.clone(),
        skew: mesh.skew.clone(),
        metrics,
        experts: serving.experts.clone(),
        light: mesh.light_server.clone(),
    }
}

/// Answers queries that arrive on the swarm's own connections, until `stop`.
async fn answer_over_swarm(mut streams: QueryStreams, server: Arc<QueryServer>, stop: CancellationToken) {
    while let Some(Some((from, stream))) = stop.run_until_cancelled(streams.next()).await {
        server.answer_on(from, stream);
    }
}

/// Refuses a role for which this node is not registered, because no other node would use it. A node that was registered
/// after the genesis waits for the later blocks, which a new directory does not have yet.
async fn admitted(
    config: &NodeConfig,
    mesh: &Mesh,
    registry: &LedgerRegistry,
    node: NodeId,
) -> Result<(), StartError> {
    let Some(wanted) = config.role.filter(|role| *role != spec::Role::Gateway) else { return Ok(()) };
    // A slot suffices for either role: the permit of a validator depends on stake, which changes.
    let has_slot =
        || matches!(registry.role(&node), Some(spec::Role::Validator | spec::Role::Miner)).then_some(());
    if let Some(chain) = mesh.chain.as_ref().filter(|_| has_slot().is_none() && !mesh.alone) {
        let mut view = chain.handle().watch();
        tracing::info!(
            block = %view.borrow().tip.header.height,
            "not registered by the last block that is here: looking for later ones"
        );
        let mut until = tokio::time::Instant::now() + CATCH_UP_TIMEOUT;
        let mut height = view.borrow().tip.header.height;
        while has_slot().is_none()
            && let Ok(Ok(())) = tokio::time::timeout_at(until, view.changed()).await
        {
            // As long as blocks come. What a peer only says about later ones does not count.
            let latest = view.borrow_and_update().tip.header.height;
            if latest > height {
                (height, until) = (latest, tokio::time::Instant::now() + CATCH_UP_TIMEOUT);
            }
        }
    }
    has_slot().ok_or_else(|| StartError::NotRegistered { node, wanted, registered: registry.role(&node) })
}

/// The key of this user's own programs, new with each start.
fn local_key(dir: &Path) -> Result<ApiKey, StartError> {
    let token = api_token::create(dir)
        .map_err(|source| StartError::NodeFile { path: dir.join(api_token::NAME), source })?;
    Ok(ApiKey::from_secret(&token)?)
}

fn gateway_config(config: &NodeConfig) -> Result<GatewayConfig, StartError> {
    Ok(GatewayConfig {
        bind: (config.http_bind, config.http_port).into(),
        api_keys: config.api_keys()?,
        local_key: Some(local_key(&config.dir)?),
        named_keys: NamedKeys::open(&config.dir)?,
        model_names: config.gateway.model_names(),
        limits: config.gateway.limits(),
        allow_origins: config.allow_origins.clone(),
        openai: config.role == Some(spec::Role::Gateway),
        max_budget: config.max_budget,
        trusted_subnets: config.trusted_subnets.clone(),
        ..GatewayConfig::loopback()
    })
}

fn scope(spec: &MeshSpec) -> AddressScope {
    match spec.mesh.scope {
        spec::Scope::Local => AddressScope::Local,
        spec::Scope::Public => AddressScope::Public,
    }
}

/// The content of `node.json`, by which other programs on this machine find the node.
fn node_file(config: &NodeConfig, mesh: &Mesh, http: SocketAddr, query: Option<&QueryServer>) -> NodeFile {
    let ProcessRef { pid, started } = ProcessRef::own();
    NodeFile {
        pid,
        started,
        name: name(config),
        role: config.role.map_or("none".into(), |role| role.to_string()),
        node: mesh.network.node(),
        mesh: mesh.id,
        http,
        query: query.map(QueryServer::local_addr),
        p2p: mesh.listening.iter().map(ToString::to_string).collect(),
        started_unix_ms: clock::now(),
    }
}

/// The node's display name: the last part of its directory.
fn name(config: &NodeConfig) -> String {
    config.dir.file_name().map_or_else(|| "node".into(), |name| name.to_string_lossy().into_owned())
}
