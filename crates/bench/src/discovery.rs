//! Discovery through the directory alone: many real swarms in this process, many experts of one capability, and
//! clients that join knowing only the bootstrap nodes.
//!
//! Nothing is gossiped here: what a client finds, Kademlia and the directory protocol found for it. All swarms share
//! this machine's cores, so times are those of a crowded machine and not of a network.

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use anyhow::Context;
use futures::{StreamExt, stream};
use nervure_ledger::spec::MeshSpec;
use nervure_p2p::NetworkStatus;
use nervure_primitives::{Capability, Netuid, NodeKey, UnixMillis};
use nervure_protocol::{ExpertRecord, SignedRecord};
use serde::Serialize;

use crate::stats::percentile_ms;

/// Bootstrap nodes in the mesh spec.
const BOOTSTRAP_NODES: usize = 4;

/// How long the mesh may take to form.
const FORMING_TIMEOUT: Duration = Duration::from_secs(120);

/// How often a routing table is checked.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// Entries in a routing table from which a node counts as connected, in meshes that are larger.
const MIN_ROUTING_TABLE: u32 = 20;

/// Rounds of publishing. As with renewals, the second makes up for the partial first lookups of a young mesh.
const PUBLISH_ROUNDS: u32 = 2;

/// Swarms that publish at once.
const MAX_PARALLEL_PUBLISHERS: usize = 8;

/// Lifetime of a published record.
const RECORD_LIFETIME: Duration = Duration::from_secs(3000);

/// Where every swarm listens.
const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// How large the mesh is.
#[derive(Clone, Copy, Debug)]
pub struct DiscoveryScale {
    /// Swarms that form the mesh.
    pub nodes: usize,
    /// Experts, all of one capability.
    pub experts: usize,
    /// Clients that join one after the other.
    pub clients: usize,
}

/// The found experts and the times.
#[derive(Clone, Debug, Serialize)]
pub struct DiscoveryReport {
    /// Swarms that formed the mesh.
    pub nodes: usize,
    /// Experts that were published.
    pub experts: usize,
    /// Clients that searched.
    pub clients: usize,
    /// The smallest share of all experts that a client found.
    pub found_least: f64,
    /// The mean share.
    pub found_mean: f64,
    /// From starting a client to the end of its search, median.
    pub cold_p50_ms: f64,
    /// The same, 95th percentile.
    pub cold_p95_ms: f64,
    /// A search of a connected client, median.
    pub search_p50_ms: f64,
    /// The same, 95th percentile.
    pub search_p95_ms: f64,
    /// Directory requests of one cold search, without the lookups in the DHT.
    pub requests_per_search: f64,
    /// How long the mesh took to form.
    pub forming_ms: f64,
    /// How long publishing everything took.
    pub publishing_ms: f64,
}

/// One swarm with its directory client, as the program under measurement runs it.
pub trait DiscoveryNode: Sized {
    /// Starts a swarm on loopback, without a chain; port 0 lets the system choose.
    fn start(spec: &MeshSpec, key: &NodeKey, p2p_port: u16) -> impl Future<Output = anyhow::Result<Self>>;

    /// Connects and searches the directory for everything, as the first query of a client does.
    fn warm(&self) -> impl Future<Output = ()>;

    /// Searches the directory for experts of `capability`.
    fn find(&self, capability: &Capability) -> impl Future<Output = ()>;

    /// Publishes records in the directory.
    fn publish(&self, records: &[SignedRecord]) -> impl Future<Output = ()>;

    /// Experts that this swarm knows.
    fn known_experts(&self) -> usize;

    /// The state of the network.
    fn status(&self) -> impl Future<Output = anyhow::Result<NetworkStatus>>;

    /// Shuts the swarm down.
    fn stop(self) -> impl Future<Output = ()>;
}

/// A swarm and its key.
struct Swarm<N> {
    key: NodeKey,
    node: N,
}

impl<N: DiscoveryNode> Swarm<N> {
    async fn start(spec: &MeshSpec, key: NodeKey, p2p_port: u16) -> anyhow::Result<Self> {
        Ok(Self { node: N::start(spec, &key, p2p_port).await?, key })
    }

    /// A client with a new key.
    async fn client(spec: &MeshSpec) -> anyhow::Result<Self> {
        Self::start(spec, NodeKey::generate().context("no randomness")?, 0).await
    }
}

/// Forms the mesh, publishes, lets the clients search, and reports to `progress`.
///
/// # Errors
/// If `scale` is too small to measure, a swarm does not start, or the mesh does not form in time.
pub async fn discover<N: DiscoveryNode>(
    scale: DiscoveryScale,
    mut progress: impl FnMut(&str),
) -> anyhow::Result<DiscoveryReport> {
    let large_enough = scale.nodes > BOOTSTRAP_NODES && scale.experts > 0 && scale.clients > 0;
    anyhow::ensure!(large_enough, "too small to measure");
    let began = Instant::now();
    let (spec, swarms) = form::<N>(scale, &mut progress).await?;
    let forming_ms = began.elapsed().as_secs_f64() * 1e3;
    progress(&format!("publishing {} experts", scale.experts));
    let began = Instant::now();
    for _ in 0..PUBLISH_ROUNDS {
        publish(&swarms, &spec, scale.experts).await?;
    }
    let publishing_ms = began.elapsed().as_secs_f64() * 1e3;
    let mut cold = cold_searches(&swarms, &spec, scale, &mut progress).await?;
    let mut searches = warm_searches::<N>(&spec, scale.clients).await?;
    Ok(DiscoveryReport {
        nodes: scale.nodes,
        experts: scale.experts,
        clients: scale.clients,
        found_least: cold.found.iter().copied().fold(f64::INFINITY, f64::min),
        found_mean: cold.found.iter().sum::<f64>() / cold.found.len() as f64,
        cold_p50_ms: percentile_ms(&mut cold.times, 50),
        cold_p95_ms: percentile_ms(&mut cold.times, 95),
        search_p50_ms: percentile_ms(&mut searches, 50),
        search_p95_ms: percentile_ms(&mut searches, 95),
        requests_per_search: cold.requests as f64 / scale.clients as f64,
        forming_ms,
        publishing_ms,
    })
}

/// The searches of clients that have just started.
#[derive(Default)]
struct ColdSearches {
    times: Vec<Duration>,
    /// The share of all experts that each client found.
    found: Vec<f64>,
    /// Directory requests of all of them.
    requests: u64,
}

async fn cold_searches<N: DiscoveryNode>(
    swarms: &[Swarm<N>],
    spec: &MeshSpec,
    scale: DiscoveryScale,
    progress: &mut impl FnMut(&str),
) -> anyhow::Result<ColdSearches> {
    let mut searches = ColdSearches::default();
    let before = requests_received(swarms).await;
    for number in 1..=scale.clients {
        progress(&format!("client {number} of {}", scale.clients));
        let began = Instant::now();
        let client = Swarm::<N>::client(spec).await?.node;
        client.warm().await;
        searches.times.push(began.elapsed());
        searches.found.push(client.known_experts() as f64 / scale.experts as f64);
        client.stop().await;
    }
    searches.requests = requests_received(swarms).await - before;
    Ok(searches)
}

/// Times of `count` searches of one connected client.
async fn warm_searches<N: DiscoveryNode>(spec: &MeshSpec, count: usize) -> anyhow::Result<Vec<Duration>> {
    let capability = capability()?;
    let client = Swarm::<N>::client(spec).await?.node;
    client.warm().await;
    let mut times = Vec::with_capacity(count);
    for _ in 0..count {
        let began = Instant::now();
        client.find(&capability).await;
        times.push(began.elapsed());
    }
    Ok(times)
}

fn capability() -> anyhow::Result<Capability> {
    Ok(Capability::new("text.generate.bench")?)
}

/// Starts all swarms and waits until each has enough others in its routing table.
async fn form<N: DiscoveryNode>(
    scale: DiscoveryScale,
    progress: &mut impl FnMut(&str),
) -> anyhow::Result<(MeshSpec, Vec<Swarm<N>>)> {
    let keys: Result<Vec<_>, _> = (0..scale.nodes).map(|_| NodeKey::generate()).collect();
    let keys = keys.context("no randomness")?;
    let mut spec = MeshSpec::test("bench");
    for key in &keys {
        spec = spec.with_miner(key.node_id());
    }
    let ports = free_ports()?;
    for (key, port) in keys.iter().zip(ports) {
        spec.network.bootstrap.push(format!("/ip4/127.0.0.1/udp/{port}/quic-v1/p2p/{}", key.node_id()));
    }
    let mut swarms: Vec<Swarm<N>> = Vec::with_capacity(keys.len());
    for (index, key) in keys.into_iter().enumerate() {
        progress(&format!("swarm {} of {}", index + 1, scale.nodes));
        swarms.push(Swarm::start(&spec, key, ports.get(index).copied().unwrap_or(0)).await?);
    }
    let enough = MIN_ROUTING_TABLE.min(u32::try_from(scale.nodes)?.saturating_sub(1));
    let connected = async {
        for swarm in &swarms {
            while swarm.node.status().await?.routing_table < enough {
                tokio::time::sleep(POLL_INTERVAL).await;
            }
        }
        anyhow::Ok(())
    };
    tokio::time::timeout(FORMING_TIMEOUT, connected).await.context("the mesh did not form in time")??;
    Ok((spec, swarms))
}

/// Ports that are free now, for the bootstrap nodes.
fn free_ports() -> anyhow::Result<[u16; BOOTSTRAP_NODES]> {
    // All sockets stay open until the end, so that no port is chosen twice.
    let mut sockets = Vec::with_capacity(BOOTSTRAP_NODES);
    let mut ports = [0; BOOTSTRAP_NODES];
    for port in &mut ports {
        let socket = std::net::UdpSocket::bind((LOOPBACK, 0))?;
        *port = socket.local_addr()?.port();
        sockets.push(socket);
    }
    Ok(ports)
}

/// Every swarm publishes its share of the experts.
async fn publish<N: DiscoveryNode>(
    swarms: &[Swarm<N>],
    spec: &MeshSpec,
    experts: usize,
) -> anyhow::Result<()> {
    let spec = Arc::new(spec.clone());
    let work = swarms.iter().enumerate().map(|(index, swarm)| {
        let spec = spec.clone();
        async move {
            let mine = (index..experts).step_by(swarms.len());
            let records: Result<Vec<_>, _> = mine.map(|number| record(&swarm.key, &spec, number)).collect();
            swarm.node.publish(&records?).await;
            anyhow::Ok(())
        }
    });
    let done = stream::iter(work).buffer_unordered(MAX_PARALLEL_PUBLISHERS).collect::<Vec<_>>().await;
    done.into_iter().collect()
}

fn record(key: &NodeKey, spec: &MeshSpec, number: usize) -> anyhow::Result<SignedRecord> {
    let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
    let issued_at = UnixMillis(u64::try_from(since_epoch.as_millis())?);
    let record = ExpertRecord {
        node: key.node_id(),
        netuid: Netuid(1),
        expert: format!("e{number}"),
        capability: capability()?,
        model: "bench".into(),
        identity: Default::default(),
        context: 4096,
        max_output: 4096,
        price: 0,
        byte_level: false,
        load: 0,
        addresses: vec![(LOOPBACK, 4000).into()],
        relays: Vec::new(),
        seq: issued_at.0,
        issued_at,
        expires_at: issued_at.plus(RECORD_LIFETIME),
        withdrawn: false,
    };
    Ok(SignedRecord::sign(key, &spec.mesh_id(), record)?)
}

/// Directory requests that all swarms have received.
async fn requests_received<N: DiscoveryNode>(swarms: &[Swarm<N>]) -> u64 {
    let mut all = 0;
    for swarm in swarms {
        all += swarm.node.status().await.map_or(0, |status| status.requests_received);
    }
    all
}
