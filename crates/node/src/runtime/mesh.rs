//! The node's part in the mesh: the network, the catalog of experts, the directory. The rest of the node is built on it.

use std::{path::PathBuf, sync::Arc, time::Duration};

use nervure_ledger::spec::{MeshSpec, Role};
use nervure_p2p::{DhtMode, Multiaddr, Network, NetworkConfig, NetworkHandle, query::QueryServer};
use nervure_primitives::{MeshId, NodeKey};
use nervure_router::Router;
use nervure_subnet::mechanism::{Corpus, Mechanisms};
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};

use super::{
    StartError, address,
    advertiser::Advertiser,
    anchor::{self, Anchoring},
    catalog::ExpertCatalog,
    chain::{self, Chain, ChainHandle, ChainRole, OpenChain},
    directory::{self, Directory, ProtocolHandlers},
    gossip::{self, RecordCounters, TopicHandlers},
    opinions::{self, Opinions},
    registry::LedgerRegistry,
    scope,
    serving::ServedExperts,
    skew::{self, Skew},
    state_sync,
    validator::Validator,
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
    pub records: Arc<RecordCounters>,
    /// Validators' assignments and live scores.
    pub opinions: Arc<Opinions>,
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

/// The handlers of all gossip topics and request protocols: each part registers its own.
fn handlers(
    (catalog, records): (&Arc<ExpertCatalog>, &Arc<RecordCounters>),
    opinions: &Arc<Opinions>,
    chain: Option<(&ChainHandle, &Arc<Anchoring>)>,
) -> (TopicHandlers, ProtocolHandlers) {
    let mut topics = TopicHandlers::new("topic");
    gossip::register(&mut topics, catalog, records);
    opinions::register(&mut topics, opinions);
    let mut protocols = ProtocolHandlers::new("request protocol");
    directory::register(&mut protocols, catalog);
    skew::register(&mut protocols);
    if let Some((chain, anchoring)) = chain {
        chain::register(&mut topics, &mut protocols, chain);
        anchor::register(&mut topics, &mut protocols, anchoring);
        state_sync::register(&mut protocols, chain);
    }
    (topics, protocols)
}

impl Mesh {
    /// Starts the network and the tasks that use it.
    pub(crate) async fn start(
        config: &NodeConfig,
        spec: &MeshSpec,
        key: &NodeKey,
        (registry, opened): (LedgerRegistry, Option<OpenChain>),
    ) -> Result<Self, StartError> {
        let stop = CancellationToken::new();
        let guard = stop.clone().drop_guard();
        let ephemeral = registry.role(&key.node_id()).is_none() && config.role.is_none();
        let (requests, inbox) = directory::channel();
        let settings =
            NetworkConfig { requests: Some(requests), ..network_config(config, spec, key, ephemeral)? };
        let alone = settings.bootstrap.is_empty();
        let (network, messages) = Network::start(settings, Arc::new(registry.clone()), stop.clone())?;
        let listening = listening(&network).await?;

        let anchoring = opened.is_some().then(|| Anchoring::new(config, spec)).transpose()?.map(Arc::new);
        let started = opened.zip(anchoring.clone()).map(|(opened, anchoring)| {
            Chain::start((opened, chain_role(config)), (spec, key), network.clone(), anchoring)
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
        let records_of = (&catalog, &records);
        let (topics, protocols) = handlers(records_of, &opinions, handle.as_ref().zip(anchoring.as_ref()));
        tasks.spawn(gossip::run(messages, topics));
        tasks.spawn(directory::serve(inbox, protocols));
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
        tasks.spawn(sweep(catalog.clone(), stop.clone()));
        let skew = Arc::<Skew>::default();
        if config.follow {
            tasks.spawn(skew.clone().watch(network.clone(), stop.clone()));
        }
        let warming = directory.clone();
        tasks.spawn(async move { stop.run_until_cancelled(warming.warm_up(ephemeral)).await });
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

    /// The advertiser of `experts`, for which `server` answers.
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

    /// The validator that sets tasks with `texts` and scores the answers, under `key` and with its averages in `dir`.
    pub(crate) fn validator(
        &self,
        (key, dir): (NodeKey, PathBuf),
        (chain, block_time): (ChainHandle, Duration),
        router: Router,
        (texts, mechanisms): (Corpus, Mechanisms),
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
            mechanisms,
            dir,
            block_time,
        }
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

fn network_config(
    config: &NodeConfig,
    spec: &MeshSpec,
    key: &NodeKey,
    ephemeral: bool,
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
        network.topics.extend(chain::topics(chain_role(config) == ChainRole::Validator));
        network.protocols.push(chain::protocol());
        network.topics.push(anchor::topic());
    }
    network.protocols.push(anchor::protocol());
    network.protocols.push(state_sync::protocol());
    network.peer_store = Some(config.dir.join(PEER_STORE));
    if ephemeral {
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
