//! The current status of a testnet.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use nervure_ledger::spec::Role;
use nervure_primitives::{MeshId, Netuid, NodeId, UnixMillis};
use serde::Serialize;
use tokio::task::JoinSet;

use crate::{
    Layout, NodeFile, TestnetError, Timings,
    chain::{CHAIN, ChainState},
    client::{Client, Health},
    mock_server::{MOCK_SERVER, MockServerState},
    state::{NodeState, Stage, State},
};

/// A testnet and its nodes.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Its directory.
    pub dir: PathBuf,
    /// Its mesh.
    pub mesh: MeshId,
    /// The stage of its run.
    pub stage: Stage,
    /// Whether any node runs.
    pub running: bool,
    /// The pid of the `up` that it ends with; none when detached or stopped.
    pub owner: Option<u32>,
    /// When it was started.
    pub started_unix_ms: UnixMillis,
    /// When each phase of its start ended, in milliseconds since the beginning.
    pub timings_ms: Timings,
    /// Its nodes.
    pub nodes: Vec<NodeReport>,
    /// Its mock model server, where it has one.
    pub mock_server: Option<MockServerReport>,
    /// The chain that keeps its checkpoints, where it has one of its own.
    pub chain: Option<ChainReport>,
}

/// The chain that keeps checkpoints.
#[derive(Clone, Debug, Serialize)]
pub struct ChainReport {
    /// The name of its process.
    pub name: &'static str,
    /// Whether its process runs.
    pub alive: bool,
    /// Its pid, while it runs.
    pub pid: Option<u32>,
    /// The URL of its JSON-RPC endpoint.
    pub endpoint: String,
}

impl ChainReport {
    fn of(chain: &ChainState) -> Self {
        let process = chain.alive();
        Self {
            name: CHAIN,
            alive: process.is_some(),
            pid: process.map(|process| process.pid),
            endpoint: chain.endpoint(),
        }
    }
}

/// The mock model server.
#[derive(Clone, Debug, Serialize)]
pub struct MockServerReport {
    /// The name of its process.
    pub name: &'static str,
    /// Whether its process runs.
    pub alive: bool,
    /// Its pid, while it runs.
    pub pid: Option<u32>,
    /// The base URL of its API.
    pub url: String,
    /// Its resident memory in bytes, where the system says.
    pub rss_bytes: Option<u64>,
}

impl MockServerReport {
    fn of(mock_server: &MockServerState) -> Self {
        let process = mock_server.alive();
        Self {
            name: MOCK_SERVER,
            alive: process.is_some(),
            pid: process.map(|process| process.pid),
            url: mock_server.url(),
            rss_bytes: process.and_then(|process| process.rss_bytes()),
        }
    }
}

/// One node.
#[derive(Clone, Debug, Serialize)]
pub struct NodeReport {
    /// Its name.
    pub name: String,
    /// Its role.
    pub role: Role,
    /// Its experts.
    pub experts: Vec<String>,
    /// The subnets that it was registered in when the testnet began.
    pub netuids: Vec<Netuid>,
    /// Its node id.
    pub node: NodeId,
    /// Whether its process runs.
    pub alive: bool,
    /// Its pid, while it runs.
    pub pid: Option<u32>,
    /// Where its HTTP API listens, while it runs.
    pub http: Option<SocketAddr>,
    /// Where its query endpoint listens, while it runs.
    pub query: Option<SocketAddr>,
    /// Its resident memory in bytes, where the system says.
    pub rss_bytes: Option<u64>,
    /// Peers connected, when it answers.
    pub peers_connected: Option<u32>,
    /// Expert records in its index, when it answers.
    pub experts_known: Option<u32>,
    /// Time since its start in milliseconds, when it answers.
    pub uptime_ms: Option<u64>,
    /// Its last block, when it answers and follows the chain.
    pub height: Option<u64>,
    /// Milliseconds since it committed that.
    pub block_age_ms: Option<u64>,
    /// Milliseconds from the beginning of the last height to its commit, at a validator.
    pub finality_ms: Option<u64>,
    /// The last block that ended an epoch, when it answers and there is one.
    pub checkpoint: Option<u64>,
    /// The subnets and their epochs, when it answers and follows the chain.
    pub epochs: BTreeMap<Netuid, u64>,
}

/// Reports the status of the testnet in `dir`; asks all nodes at once.
///
/// # Errors
/// [`TestnetError::NotATestnet`] when there is none. A stopped testnet has a report too.
pub async fn report(dir: &Path) -> Result<Report, TestnetError> {
    let layout = Layout::new(dir);
    let state = State::load(&layout)?;
    let mut nodes: Vec<_> = state.nodes.iter().map(|node| inspect(&layout, node)).collect();
    ask(&mut nodes).await;
    Ok(Report {
        dir: dir.into(),
        mesh: state.mesh,
        stage: state.stage,
        running: nodes.iter().any(|node| node.alive),
        owner: state.living_owner().map(|owner| owner.pid),
        started_unix_ms: state.started_unix_ms,
        timings_ms: state.timings_ms,
        nodes,
        mock_server: state.mock_server.as_ref().map(MockServerReport::of),
        chain: state.chain.as_ref().map(ChainReport::of),
    })
}

/// The report of a node before it is asked.
fn inspect(layout: &Layout, node: &NodeState) -> NodeReport {
    let process = node.alive();
    let file = process.and_then(|process| {
        let file = NodeFile::read(layout.node(&node.name).dir()).ok()??;
        (file.pid == process.pid).then_some(file)
    });
    NodeReport {
        name: node.name.clone(),
        role: node.role,
        experts: node.experts.clone(),
        netuids: node.netuids.clone(),
        node: node.node,
        alive: process.is_some(),
        pid: process.map(|process| process.pid),
        http: file.as_ref().map(|file| file.http),
        query: file.and_then(|file| file.query),
        rss_bytes: process.and_then(|process| process.rss_bytes()),
        peers_connected: None,
        experts_known: None,
        uptime_ms: None,
        height: None,
        block_age_ms: None,
        finality_ms: None,
        checkpoint: None,
        epochs: BTreeMap::new(),
    }
}

/// Asks the running nodes, and adds their answers.
async fn ask(nodes: &mut [NodeReport]) {
    let Ok(client) = Client::new() else { return };
    let mut asked = JoinSet::new();
    for (index, http) in nodes.iter().enumerate().filter_map(|(index, node)| Some((index, node.http?))) {
        let client = client.clone();
        asked.spawn(async move { (index, client.health(http).await) });
    }
    while let Some(answer) = asked.join_next().await {
        if let Ok((index, Ok(Health { peers_connected, experts_known, uptime_ms, chain }))) = answer {
            let node = &mut nodes[index];
            node.peers_connected = Some(peers_connected);
            node.experts_known = Some(experts_known);
            node.uptime_ms = Some(uptime_ms);
            if let Some(chain) = chain {
                node.height = Some(chain.height);
                node.block_age_ms = Some(chain.age_ms);
                node.finality_ms = chain.finality_ms;
                node.checkpoint = chain.checkpoint;
                node.epochs = chain.epochs;
            }
        }
    }
}
