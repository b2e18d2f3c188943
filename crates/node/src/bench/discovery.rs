//! Discovery through the directory alone: many real swarms in this process, many experts of one capability, and
//! clients that join knowing nothing but the bootstrap nodes.
//!
//! Nothing is gossiped here: what a client finds, Kademlia and the directory protocol found for it. All swarms share
//! this machine's cores, so times are those of a crowded machine and not of a network.

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Context;
use futures::{StreamExt, stream};
use nervure_ledger::spec::{MeshSpec, NodeSpec, Role};
use nervure_primitives::{Amount, Capability, Netuid, NodeKey};
use nervure_subnet::{ExpertRecord, SignedRecord};
use serde::Serialize;
use tempfile::TempDir;

use super::report::percentile;
use crate::{
    config::{NodeConfig, Preset, Settings},
    runtime::{LedgerRegistry, Mesh, now},
};

/// Nodes that the spec names for others to begin with.
const BOOTSTRAP: usize = 4;

/// How long the mesh may take to form.
const PATIENCE: Duration = Duration::from_secs(120);

/// Nodes in a routing table that make a node count as settled, where there are as many.
const SETTLED: u32 = 20;

/// Nodes that are started, or publish, at once.
const AT_ONCE: usize = 8;

/// Where every swarm listens.
const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// How large the mesh is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scale {
    pub nodes: usize,
    pub experts: usize,
    pub clients: usize,
}

/// What was found, and at what price.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Discovery {
    pub nodes: usize,
    pub experts: usize,
    pub clients: usize,
    /// Of the experts there are: the least that a client found, and the mean.
    pub found_least: f64,
    pub found_mean: f64,
    /// From starting the client to the end of its search.
    pub cold_p50_ms: f64,
    pub cold_p95_ms: f64,
    /// The search again, once connected.
    pub search_p50_ms: f64,
    pub search_p95_ms: f64,
    /// Directory requests that one cold search made, lookups in the DHT not counted.
    pub requests_per_search: f64,
    /// How long the mesh took to form and to publish everything.
    pub forming_ms: f64,
    pub publishing_ms: f64,
}

struct Swarm {
    key: NodeKey,
    mesh: Mesh,
    _dir: TempDir,
}

/// Forms the mesh, publishes, and lets the clients search.
pub(crate) async fn discover(scale: Scale, mut progress: impl FnMut(&str)) -> anyhow::Result<Discovery> {
    anyhow::ensure!(
        scale.nodes > BOOTSTRAP && scale.experts > 0 && scale.clients > 0,
        "too small to measure"
    );
    let began = Instant::now();
    let swarms = form(scale, &mut progress).await?;
    let (spec, forming) = (swarms.0, began.elapsed());
    let swarms = swarms.1;
    progress(&format!("publishing {} experts", scale.experts));
    let began = Instant::now();
    // Twice, as renewals do: the first lookups of a young mesh are partial.
    for _ in 0..2 {
        publish(&swarms, &spec, scale.experts).await?;
    }
    let publishing = began.elapsed();
    let (mut cold, mut searches, mut found) = (Vec::new(), Vec::new(), Vec::new());
    let before = requests(&swarms).await;
    for client in 1..=scale.clients {
        progress(&format!("client {client} of {}", scale.clients));
        let began = Instant::now();
        let visitor = swarm(&spec, NodeKey::generate().context("no randomness")?, 0).await?;
        visitor.mesh.directory.warm().await;
        cold.push(began.elapsed());
        found.push(visitor.mesh.catalog.len() as f64 / scale.experts as f64);
        visitor.mesh.end().await;
    }
    let after = requests(&swarms).await;
    let capability = capability()?;
    let visitor = swarm(&spec, NodeKey::generate().context("no randomness")?, 0).await?;
    visitor.mesh.directory.warm().await;
    for _ in 0..scale.clients {
        let began = Instant::now();
        visitor.mesh.directory.find(Some(&capability)).await;
        searches.push(began.elapsed());
    }
    let ms = |times: &mut [Duration], percent| percentile(times, percent) / 1000.0;
    Ok(Discovery {
        nodes: scale.nodes,
        experts: scale.experts,
        clients: scale.clients,
        found_least: found.iter().copied().fold(f64::INFINITY, f64::min),
        found_mean: found.iter().sum::<f64>() / found.len() as f64,
        cold_p50_ms: ms(&mut cold, 50),
        cold_p95_ms: ms(&mut cold, 95),
        search_p50_ms: ms(&mut searches, 50),
        search_p95_ms: ms(&mut searches, 95),
        requests_per_search: (after - before) as f64 / scale.clients as f64,
        forming_ms: forming.as_secs_f64() * 1000.0,
        publishing_ms: publishing.as_secs_f64() * 1000.0,
    })
}

fn capability() -> anyhow::Result<Capability> {
    Ok(Capability::new("text.generate.bench")?)
}

/// Starts all swarms and waits until each has enough others in its routing table.
async fn form(scale: Scale, progress: &mut impl FnMut(&str)) -> anyhow::Result<(MeshSpec, Vec<Swarm>)> {
    let keys: Result<Vec<_>, _> = (0..scale.nodes).map(|_| NodeKey::generate()).collect();
    let keys = keys.context("no randomness")?;
    let mut spec = MeshSpec::local("bench");
    for key in &keys {
        let netuids = vec![Netuid(1)];
        spec.nodes.push(NodeSpec {
            id: key.node_id(),
            owner: None,
            role: Role::Miner,
            netuids,
            stake: Amount::ZERO,
            anchor: None,
        });
    }
    let ports = free_ports()?;
    for (key, port) in keys.iter().zip(ports) {
        spec.network.bootstrap.push(format!("/ip4/127.0.0.1/udp/{port}/quic-v1/p2p/{}", key.node_id()));
    }
    let mut swarms = Vec::with_capacity(keys.len());
    for (index, key) in keys.into_iter().enumerate() {
        progress(&format!("swarm {} of {}", index + 1, scale.nodes));
        swarms.push(swarm(&spec, key, ports.get(index).copied().unwrap_or(0)).await?);
    }
    let enough = SETTLED.min(u32::try_from(scale.nodes)?.saturating_sub(1));
    let settled = async {
        for swarm in &swarms {
            while swarm.mesh.network.status().await?.routing_table < enough {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
        anyhow::Ok(())
    };
    tokio::time::timeout(PATIENCE, settled).await.context("the mesh did not form in time")??;
    Ok((spec, swarms))
}

/// Ports that are free now, for the bootstrap nodes.
fn free_ports() -> anyhow::Result<[u16; BOOTSTRAP]> {
    let mut sockets = Vec::with_capacity(BOOTSTRAP);
    let mut ports = [0; BOOTSTRAP];
    for port in &mut ports {
        let socket = std::net::UdpSocket::bind((LOOPBACK, 0))?;
        *port = socket.local_addr()?.port();
        sockets.push(socket);
    }
    Ok(ports)
}

async fn swarm(spec: &MeshSpec, key: NodeKey, p2p_port: u16) -> anyhow::Result<Swarm> {
    let dir = tempfile::tempdir()?;
    let said = Settings { bind: Some(LOOPBACK), p2p_port: Some(p2p_port), ..Settings::default() };
    let config = NodeConfig::resolve(dir.path().into(), said, Settings::default(), Preset::Local);
    let mesh = Mesh::start(&config, spec, &key, (LedgerRegistry::of(spec)?, None)).await?;
    Ok(Swarm { key, mesh, _dir: dir })
}

/// Every swarm publishes its share of the experts.
async fn publish(swarms: &[Swarm], spec: &MeshSpec, experts: usize) -> anyhow::Result<()> {
    let spec = Arc::new(spec.clone());
    let work = swarms.iter().enumerate().map(|(index, swarm)| {
        let spec = spec.clone();
        async move {
            let mine = (index..experts).step_by(swarms.len());
            let records: Result<Vec<_>, _> = mine.map(|number| record(swarm, &spec, number)).collect();
            anyhow::Ok(swarm.mesh.directory.publish(&records?).await)
        }
    });
    let done = stream::iter(work).buffer_unordered(AT_ONCE).collect::<Vec<_>>().await;
    done.into_iter().try_for_each(|kept| kept.map(drop))
}

fn record(swarm: &Swarm, spec: &MeshSpec, number: usize) -> anyhow::Result<SignedRecord> {
    let issued_at = now();
    let record = ExpertRecord {
        node: swarm.key.node_id(),
        netuid: Netuid(1),
        expert: format!("e{number}"),
        capability: capability()?,
        model: "bench".into(),
        context: 4096,
        max_output: 4096,
        price: 0,
        byte_level: false,
        load: 0,
        addresses: vec![(LOOPBACK, 4000).into()],
        seq: issued_at.0,
        issued_at,
        expires_at: issued_at.plus(Duration::from_secs(3000)),
        withdrawn: false,
    };
    Ok(SignedRecord::sign(&swarm.key, &spec.mesh_id(), record)?)
}

/// Directory requests that all swarms have received.
async fn requests(swarms: &[Swarm]) -> u64 {
    let mut all = 0;
    for swarm in swarms {
        all += swarm.mesh.network.status().await.map_or(0, |status| status.requests_received);
    }
    all
}
