//! A running node: its parts, wired together, and their orderly end.
//!
//! One task for each long-lived thing: the network's swarm, the judge of gossip, the advertiser of own
//! experts, the sweeper of expired records, the HTTP API; the query endpoints have threads of their own. They share the
//! [`catalog`](catalog::ExpertCatalog) of experts and reach each other through handles.
//!
//! The end comes in order: the HTTP API finishes its answers while experts are withdrawn from the mesh, and only
//! then the query endpoint and the network go.

mod address;
mod advertiser;
mod catalog;
mod clock;
mod directory;
mod error;
mod experts;
mod gossip;
mod metrics;
mod ports;
mod price;
mod registry;
mod router;
mod service;
mod serving;
mod view;
mod wire;

use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use nervure_ledger::spec::{self, MeshSpec};
use nervure_p2p::{
    DhtMode, Network, NetworkConfig, NetworkHandle, Scope,
    query::{ClientConfig, QueryClient, QueryServer, ServerConfig},
};
use nervure_primitives::NodeKey;
use nervure_testnet::NodeFile;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    config::NodeConfig,
    gateway::{Gateway, GatewayConfig},
};
use advertiser::Advertiser;
use catalog::ExpertCatalog;
use directory::Directory;
use gossip::RecordCounters;
use registry::SpecRegistry;
use router::Router;
use service::NodeService;
use serving::ServedExperts;

pub(crate) use error::StartError;

/// Name of the file with the peers that were met, in the node's directory.
const PEER_STORE: &str = "peers.cbor";

/// Between two sweeps of expired records.
const SWEEP_EVERY: Duration = Duration::from_secs(5);

/// How long the network may take to listen.
const LISTEN_PATIENCE: Duration = Duration::from_secs(5);

/// A node that runs.
pub(crate) struct Node {
    file: NodeFile,
    dir: PathBuf,
    tasks: TaskTracker,
    /// Ends the network, once everything above it has ended.
    network_stop: CancellationToken,
    query: Option<QueryServer>,
}

impl Node {
    /// Starts a node of the mesh `spec` under `key`; it goes on until `stop`. Its `node.json` is written when all
    /// its sockets are bound.
    pub(crate) async fn start(
        config: NodeConfig,
        spec: &MeshSpec,
        key: NodeKey,
        stop: CancellationToken,
    ) -> Result<Self, StartError> {
        let started = Instant::now();
        let (node, mesh) = (key.node_id(), spec.mesh_id());
        let registry = SpecRegistry::new(spec);
        let visitor = registry.role(&node).is_none();
        check_role(&config, &registry, &key)?;
        check_ports(&config)?;
        let served = experts::start(&config.experts, &node.to_string(), registry.netuids(&node)).await?;
        let served = Arc::new(served);
        let query = start_query(&config, &key, spec, &registry, &served)?;

        let network_stop = CancellationToken::new();
        let (requests, inbox) = directory::channel();
        let network = NetworkConfig { requests: Some(requests), ..network_config(&config, spec, &key)? };
        let alone = network.bootstrap.is_empty();
        let (network, messages) = Network::start(network, Arc::new(registry.clone()), network_stop.clone())?;
        let listening = listening(&network).await?;

        let tasks = TaskTracker::new();
        let catalog = Arc::new(ExpertCatalog::new(mesh, registry));
        let records = Arc::<RecordCounters>::default();
        tasks.spawn(gossip::run(messages, catalog.clone(), records.clone()));
        tasks.spawn(directory::serve(inbox, catalog.clone()));
        tasks.spawn(sweep(catalog.clone(), network_stop.clone()));
        let netuids = spec.subnets.iter().map(|subnet| subnet.netuid).collect();
        let directory =
            Arc::new(Directory::new(network.clone(), catalog.clone(), (mesh, netuids), spec.record_expiry()));
        let warming = directory.clone();
        let until = network_stop.clone();
        tasks.spawn(async move { until.run_until_cancelled(warming.warm_up(visitor)).await });
        let advertising = query.as_ref().map(|server| Advertiser {
            key: key.clone(),
            mesh,
            expiry: spec.record_expiry(),
            addresses: address::query(&config, &listening, server.local_addr(), scope(spec)),
            experts: served.clone(),
            network: network.clone(),
            catalog: catalog.clone(),
            directory: directory.clone(),
        });

        let client = QueryClient::start(ClientConfig::new(key, mesh))?;
        let service = Arc::new(NodeService {
            mesh,
            role: config.role,
            started,
            alone,
            network,
            router: Router::new(catalog.clone(), client, scope(spec)),
            catalog,
            directory,
            records,
            queries: query.as_ref().map(|server| server.counters().clone()),
            experts: served,
        });
        let gateway = Gateway::bind(gateway_config(&config)?, service).await?;
        let file = NodeFile {
            pid: std::process::id(),
            name: name(&config),
            role: config.role.map_or("none".into(), |role| role.to_string()),
            node,
            mesh,
            http: gateway.local_addr(),
            query: query.as_ref().map(QueryServer::local_addr),
            p2p: listening.iter().map(ToString::to_string).collect(),
            started_unix_ms: clock::now(),
        };
        file.write(&config.dir)
            .map_err(|source| StartError::NodeFile { path: config.dir.join(NodeFile::NAME), source })?;

        let above = TaskTracker::new();
        above.spawn(gateway.run(stop.clone()));
        if let Some(advertiser) = advertising {
            above.spawn(advertiser.run(stop));
        }
        above.close();
        let then = network_stop.clone();
        tasks.spawn(async move {
            above.wait().await;
            then.cancel();
        });
        tasks.close();
        Ok(Self { file, dir: config.dir, tasks, network_stop, query })
    }

    /// What the node says about itself.
    pub(crate) fn file(&self) -> &NodeFile {
        &self.file
    }

    /// Waits until the node has ended in good order.
    pub(crate) async fn wait(mut self) {
        self.tasks.wait().await;
        if let Some(query) = self.query.take() {
            // Joins a thread: not on the runtime's own.
            let _ = tokio::task::spawn_blocking(move || drop(query)).await;
        }
        if let Err(error) = NodeFile::remove(&self.dir) {
            tracing::warn!(%error, "node.json stays behind");
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.network_stop.cancel();
    }
}

/// A role that the mesh does not know this node by would be a node that nobody talks to.
fn check_role(config: &NodeConfig, registry: &SpecRegistry, key: &NodeKey) -> Result<(), StartError> {
    let node = key.node_id();
    let registered = registry.role(&node);
    match (config.role, registered) {
        (Some(wanted), registered) if registered != Some(wanted) && wanted != spec::Role::Gateway => {
            Err(StartError::NotRegistered { node, wanted, registered })
        }
        _ => Ok(()),
    }
}

fn check_ports(config: &NodeConfig) -> Result<(), StartError> {
    ports::udp(config.bind, config.p2p_port)?;
    ports::tcp(config.bind, config.p2p_port)?;
    ports::udp(config.bind, config.query_port)?;
    ports::tcp(config.http_bind, config.http_port)?;
    Ok(())
}

fn start_query(
    config: &NodeConfig,
    key: &NodeKey,
    spec: &MeshSpec,
    registry: &SpecRegistry,
    served: &Arc<ServedExperts>,
) -> Result<Option<QueryServer>, StartError> {
    if served.iter().next().is_none() {
        return Ok(None);
    }
    let bind = (config.bind, config.query_port).into();
    let settings = ServerConfig::new(key.clone(), spec.mesh_id(), bind);
    Ok(Some(QueryServer::start(settings, Arc::new(registry.clone()), served.clone())?))
}

fn network_config(config: &NodeConfig, spec: &MeshSpec, key: &NodeKey) -> Result<NetworkConfig, StartError> {
    let mut network = NetworkConfig::new(key.clone(), spec.mesh_id(), scope(spec));
    network.listen = address::listen(config.bind, config.p2p_port);
    network.external.clone_from(&config.external);
    network.topics = gossip::topics(spec.subnets.iter().map(|subnet| subnet.netuid));
    network.protocols = vec![directory::protocol()];
    network.peer_store = Some(config.dir.join(PEER_STORE));
    if !spec.registry().is_registered(&key.node_id()) {
        // Nobody would ask it: routing tables hold registered nodes only.
        network.mode = DhtMode::Client;
    }
    network.bootstrap = address::bootstrap(spec, &key.node_id())?;
    Ok(network)
}

fn gateway_config(config: &NodeConfig) -> Result<GatewayConfig, StartError> {
    Ok(GatewayConfig {
        bind: (config.http_bind, config.http_port).into(),
        api_keys: config.api_keys()?,
        openai: config.role == Some(spec::Role::Gateway),
        max_budget: config.max_budget,
        ..GatewayConfig::loopback()
    })
}

/// The addresses that the network listens on, once it does.
async fn listening(network: &NetworkHandle) -> Result<Vec<nervure_p2p::Multiaddr>, StartError> {
    let wait = async {
        loop {
            match network.status().await {
                Ok(status) if !status.listening.is_empty() => return Ok(status.listening),
                Ok(_) => tokio::time::sleep(Duration::from_millis(5)).await,
                Err(_) => return Err(StartError::NotListening),
            }
        }
    };
    tokio::time::timeout(LISTEN_PATIENCE, wait).await.unwrap_or(Err(StartError::NotListening))
}

/// Drops expired records now and then, so that they do not take others' room.
async fn sweep(catalog: Arc<ExpertCatalog>, stop: CancellationToken) {
    while stop.run_until_cancelled(tokio::time::sleep(SWEEP_EVERY)).await.is_some() {
        catalog.expire();
    }
}

fn scope(spec: &MeshSpec) -> Scope {
    match spec.mesh.scope {
        spec::Scope::Local => Scope::Local,
        spec::Scope::Public => Scope::Public,
    }
}

/// What people call the node: the last part of its directory.
fn name(config: &NodeConfig) -> String {
    config.dir.file_name().map_or_else(|| "node".into(), |name| name.to_string_lossy().into_owned())
}
