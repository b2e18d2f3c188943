//! The node's part in the mesh: the network, the experts that it hears of, the directory. Everything else stands on it.

use std::{path::PathBuf, sync::Arc, time::Duration};

use nervure_ledger::spec::{MeshSpec, Role};
use nervure_p2p::{DhtMode, Multiaddr, Network, NetworkConfig, NetworkHandle, query::QueryServer};
use nervure_primitives::{MeshId, NodeKey};
use nervure_router::Router;
use nervure_subnet::mechanism::Corpus;
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};

use super::{
    StartError, address,
    advertiser::Advertiser,
    anchor::{self, Anchoring},
    catalog::ExpertCatalog,
    chain::{self, Chain, ChainHandle, Opened, Part},
    directory::{self, Directory},
    gossip::{self, RecordCounters},
    opinions::{self, Opinions},
    registry::LedgerRegistry,
    scope,
    serving::ServedExperts,
    skew::{self, Skew},
    state_sync,
    validator::Validator,
};
use crate::config::NodeConfig;

/// Name of the file with the peers that were met, in the node's directory.
const PEER_STORE: &str = "peers.cbor";

/// Between two sweeps of expired records.
const SWEEP_EVERY: Duration = Duration::from_secs(5);

/// How long the network may take to listen.
const LISTEN_PATIENCE: Duration = Duration::from_secs(5);

/// A node's part in the mesh. Dropped, it ends at once; [`Mesh::end`] ends it in good order.
pub(crate) struct Mesh {
    pub id: MeshId,
    pub network: NetworkHandle,
    pub catalog: Arc<ExpertCatalog>,
    pub directory: Arc<Directory>,
    pub records: Arc<RecordCounters>,
    /// What validators say.
    pub opinions: Arc<Opinions>,
    /// How far this machine's clock is off.
    pub skew: Arc<Skew>,
    /// Where the network listens.
    pub listening: Vec<Multiaddr>,
    /// Whether nobody else is to be found.
    pub alone: bool,
    /// The chain, where this node follows it.
    pub chain: Option<Chain>,
    /// What is anchored of it.
    pub anchoring: Option<Arc<Anchoring>>,
    tasks: TaskTracker,
    stop: DropGuard,
}

impl Mesh {
    /// Starts the network and what lives on it.
    pub(crate) async fn start(
        config: &NodeConfig,
        spec: &MeshSpec,
        key: &NodeKey,
        (registry, opened): (LedgerRegistry, Option<Opened>),
    ) -> Result<Self, StartError> {
        let stop = CancellationToken::new();
        let guard = stop.clone().drop_guard();
        let visitor = registry.role(&key.node_id()).is_none() && config.role.is_none();
        let (requests, inbox) = directory::channel();
        let settings =
            NetworkConfig { requests: Some(requests), ..network_config(config, spec, key, visitor)? };
        let alone = settings.bootstrap.is_empty();
        let (network, messages) = Network::start(settings, Arc::new(registry.clone()), stop.clone())?;
        let listening = listening(&network).await?;

        let anchoring = opened.is_some().then(|| Anchoring::new(config, spec)).transpose()?.map(Arc::new);
        let started = opened.zip(anchoring.clone()).map(|(opened, anchoring)| {
            Chain::start((opened, part(config)), (spec, key), network.clone(), anchoring)
        });
        let chain = started.transpose().map_err(StartError::Thread)?;
        let handle = chain.as_ref().map(Chain::handle);

        let (id, tasks) = (spec.mesh_id(), TaskTracker::new());
        let opinions = Arc::new(Opinions::new(id, registry.clone()));
        let catalog = Arc::new(ExpertCatalog::new(id, registry.clone()));
        let records = Arc::<RecordCounters>::default();
        let directory =
            Directory::new(network.clone(), catalog.clone(), (id, registry), spec.record_expiry());
        let directory = Arc::new(directory);
        tasks.spawn(gossip::run(
            messages,
            (catalog.clone(), records.clone()),
            (opinions.clone(), anchoring.clone()),
            handle.clone(),
        ));
        if let Some(chain) = &handle {
            let known = spec.subnets.iter().map(|subnet| subnet.netuid).collect();
            let following = gossip::follow(chain.watch(), network.clone(), known);
            let stop = stop.clone();
            tasks.spawn(async move { stop.run_until_cancelled(following).await });
        }
        if let Some((anchoring, chain)) = anchoring.clone().zip(handle.clone()) {
            #[cfg(not(feature = "anchor-evm"))]
            anchor::check_supported(spec, &config.anchor_rpc)?;
            #[cfg(feature = "anchor-evm")]
            if let Some(forwarder) = anchor::Forwarder::new(config, spec, &anchoring)? {
                tasks.spawn(forwarder.run(anchoring.clone(), stop.clone()));
            }
            tasks.spawn(anchoring.keep((chain, spec.clone()), network.clone(), stop.clone()));
        }
        tasks.spawn(directory::serve(inbox, catalog.clone(), handle.zip(anchoring.clone())));
        tasks.spawn(sweep(catalog.clone(), stop.clone()));
        let skew = Arc::<Skew>::default();
        if config.follow {
            tasks.spawn(skew.clone().watch(network.clone(), stop.clone()));
        }
        let warming = directory.clone();
        tasks.spawn(async move { stop.run_until_cancelled(warming.warm_up(visitor)).await });
        tasks.close();
        Ok(Self {
            id,
            network,
            catalog,
            directory,
            records,
            opinions,
            skew,
            listening,
            alone,
            chain,
            anchoring,
            tasks,
            stop: guard,
        })
    }

    /// Whoever says what `experts` there are, which `server` answers for.
    pub(crate) fn advertiser(
        &self,
        config: &NodeConfig,
        spec: &MeshSpec,
        (key, experts): (&NodeKey, &Arc<ServedExperts>),
        server: &QueryServer,
    ) -> Advertiser {
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

    /// Whoever sets tasks with `texts` and scores the answers, under `key` and with its averages in `dir`.
    pub(crate) fn validator(
        &self,
        (key, dir): (NodeKey, PathBuf),
        (chain, block_time): (ChainHandle, Duration),
        router: Router,
        texts: Corpus,
    ) -> Validator {
        Validator {
            key,
            mesh: self.id,
            chain,
            catalog: self.catalog.clone(),
            opinions: self.opinions.clone(),
            router,
            network: self.network.clone(),
            corpus: Arc::new(texts),
            dir,
            block_time,
        }
    }

    /// Ends in good order: what was learned of peers is on the disk then.
    pub(crate) async fn end(self) {
        if let Some(chain) = self.chain {
            // Waits for a commit: not on the runtime's own threads.
            let _ = tokio::task::spawn_blocking(move || chain.end()).await;
        }
        drop(self.stop);
        self.network.stopped().await;
        self.tasks.wait().await;
    }
}

/// Whether the node's operator means it to make blocks.
fn part(config: &NodeConfig) -> Part {
    match config.role {
        Some(Role::Validator) => Part::Validator,
        _ => Part::Follower,
    }
}

fn network_config(
    config: &NodeConfig,
    spec: &MeshSpec,
    key: &NodeKey,
    visitor: bool,
) -> Result<NetworkConfig, StartError> {
    let mut network = NetworkConfig::new(key.clone(), spec.mesh_id(), scope(spec));
    network.listen = address::listen(config.bind, config.p2p_port);
    network.reach.relay_server = config.relay_server;
    network.reach.mdns = config.mdns;
    network.external.clone_from(&config.external);
    network.topics = gossip::topics(spec.subnets.iter().map(|subnet| subnet.netuid));
    network.topics.extend(opinions::topics());
    if config.follow {
        network.families.push(gossip::later(spec.economy.max_subnets));
    }
    network.protocols = vec![directory::protocol(), skew::protocol()];
    if config.follow {
        network.topics.extend(chain::topics(part(config) == Part::Validator));
        network.protocols.push(chain::protocol());
        network.topics.push(anchor::topic());
    }
    network.protocols.push(anchor::protocol());
    network.protocols.push(state_sync::protocol());
    network.peer_store = Some(config.dir.join(PEER_STORE));
    if visitor {
        // Nobody would ask it: routing tables hold registered nodes only.
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
    tokio::time::timeout(LISTEN_PATIENCE, wait).await.unwrap_or(Err(StartError::NotListening))
}

/// Drops expired records now and then, so that they do not take others' room.
async fn sweep(catalog: Arc<ExpertCatalog>, stop: CancellationToken) {
    while stop.run_until_cancelled(tokio::time::sleep(SWEEP_EVERY)).await.is_some() {
        catalog.expire();
    }
}
