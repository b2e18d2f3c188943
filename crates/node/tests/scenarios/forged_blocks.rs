//! A registered node lies about the chain: it claims heights that do not exist, and answers requests for blocks with
//! real headers and real certificates behind which it has put other transactions.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use nervure_ledger::{block::Block, spec::MeshSpec, transaction};
use nervure_p2p::{
    AddressScope, Admission, InboundRequest, Multiaddr, Network, NetworkConfig, NetworkHandle, ProtocolSpec,
    TopicSpec,
};
use nervure_primitives::{BlockHeight, Envelope, NodeId, NodeKey, key_file};
use nervure_protocol::{
    chain::{BlockAnnouncement, BlocksRequest, BlocksResponse, CertifiedBlock},
    protocols::CHAIN,
    topics::BLOCKS,
};
use nervure_testnet::{Layout, NodeFile};
use serde_bytes::ByteBuf;
use tokio::sync::mpsc;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::mesh::{Mesh, Running, eventually, run};

/// A height that no chain reaches.
const IMPOSSIBLE: BlockHeight = BlockHeight(u64::MAX);

/// Takes every node for registered.
struct EveryNode;

impl Admission for EveryNode {
    fn is_registered(&self, _: &NodeId) -> bool {
        true
    }
}

/// The lying node: it has the key of a registered miner, and no other part of the program. It ends when it is dropped.
struct LyingNode {
    forged: Arc<AtomicU32>,
    _stop: DropGuard,
    _runtime: tokio::runtime::Runtime,
}

impl LyingNode {
    /// Connects to `peers`, the first of which is honest and knows the blocks.
    fn start(spec: &MeshSpec, key: NodeKey, peers: Vec<Multiaddr>, honest: NodeId) -> Self {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let (requests, inbox) = mpsc::channel(64);
        let mut config = NetworkConfig::new(key, spec.mesh_id(), AddressScope::Local);
        config.listen = vec!["/ip4/127.0.0.1/udp/0/quic-v1".parse().unwrap()];
        config.bootstrap = peers;
        config.topics = vec![TopicSpec::of(BLOCKS)];
        config.protocols = vec![ProtocolSpec::of(CHAIN)];
        config.requests = Some(requests);
        let (stop, forged) = (CancellationToken::new(), Arc::<AtomicU32>::default());
        let guard = runtime.enter();
        let (network, mut messages) = Network::start(config, Arc::new(EveryNode), stop.clone()).unwrap();
        drop(guard);
        runtime.spawn(async move { while messages.recv().await.is_some() {} });
        runtime.spawn(claim_heights(network.clone(), stop.clone()));
        runtime.spawn(answer_forged(network, inbox, honest, forged.clone()));
        Self { forged, _stop: stop.drop_guard(), _runtime: runtime }
    }
}

/// Announces one impossible height after the other, so that a node that believes them asks this one.
async fn claim_heights(network: NetworkHandle, stop: CancellationToken) {
    for number in 0.. {
        let height = BlockHeight(IMPOSSIBLE.0 - number);
        let claim = BlockAnnouncement { height, block: None }.encode().unwrap();
        let _ = network.publish(BLOCKS.name, claim).await;
        if stop.run_until_cancelled(tokio::time::sleep(Duration::from_millis(200))).await.is_none() {
            return;
        }
    }
}

/// Answers with the honest node's blocks, one transaction richer.
async fn answer_forged(
    network: NetworkHandle,
    mut inbox: mpsc::Receiver<InboundRequest>,
    honest: NodeId,
    forged: Arc<AtomicU32>,
) {
    while let Some(request) = inbox.recv().await {
        if !matches!(BlocksRequest::decode(&request.data), Ok(BlocksRequest::From(_))) {
            continue;
        }
        let (network, forged) = (network.clone(), forged.clone());
        tokio::spawn(async move {
            let Some(mut blocks) = next_blocks(&network, honest, &request.data).await else { return };
            blocks[0].0 = ByteBuf::from(forge(&blocks[0].0));
            request.respond(BlocksResponse::Blocks(blocks).encode().unwrap()).await;
            forged.fetch_add(1, Ordering::Relaxed);
        });
    }
}

/// The honest node's answer, as soon as it has a block.
async fn next_blocks(network: &NetworkHandle, honest: NodeId, request: &[u8]) -> Option<Vec<CertifiedBlock>> {
    loop {
        let answer = network.request(honest, CHAIN.name, request.to_vec()).await.ok()?;
        match BlocksResponse::decode(&answer).ok()? {
            BlocksResponse::Blocks(blocks) if !blocks.is_empty() => return Some(blocks),
            BlocksResponse::Blocks(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            BlocksResponse::Body(_) | BlocksResponse::Pruned(_) => return None,
        }
    }
}

/// The block with a transaction more, under its own header.
fn forge(block: &[u8]) -> Vec<u8> {
    let mut block = Block::decode(block).unwrap();
    let key = NodeKey::from_seed(&[1; 32]);
    let more = Envelope::seal(&key, transaction::DOMAIN, &block.header.mesh, &1u8).unwrap();
    block.transactions.push(more);
    block.encode().unwrap()
}

/// The QUIC address of a running node, with its id.
fn p2p_address(dir: &Path) -> Multiaddr {
    let file = NodeFile::read(dir).unwrap().unwrap();
    file.p2p.iter().find(|address| address.contains("/quic-v1/p2p/")).unwrap().parse().unwrap()
}

fn height(dir: &Path) -> Option<u64> {
    let status = run(dir, &["status", "--json"]);
    if status.code == 0 { status.json()["chain"]["height"].as_u64() } else { None }
}

/// The value of one of the node's counters.
fn counter(dir: &Path, name: &str) -> Option<u64> {
    let file = NodeFile::read(dir).ok()??;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
    let text = runtime.block_on(async {
        reqwest::get(format!("http://{}/metrics", file.http)).await.ok()?.text().await.ok()
    })?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().parse().ok()
}

#[test]
fn a_registered_node_that_forges_blocks_is_found_out_and_stops_no_node() {
    let mesh = Mesh::small(&[]);
    let spec = MeshSpec::parse(&std::fs::read_to_string(mesh.mesh_file()).unwrap()).unwrap();
    mesh.run(&["testnet", "kill", "miner-2"]).succeeded();
    let layout = Layout::new(mesh.dir());
    let validator = layout.node("validator-1").dir().to_owned();
    let key = key_file::read(&layout.node("miner-2").key(), None).unwrap();
    let honest: NodeId = mesh.node("validator-1")["node"].as_str().unwrap().parse().unwrap();

    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("follower");
    let _follower = Running::join(&mesh.mesh_file(), &dir);
    let before = eventually("the follower has the chain", || height(&dir));
    let peers = vec![p2p_address(&validator), p2p_address(&dir)];
    let proxy = LyingNode::start(&spec, key, peers, honest);

    eventually("the proxy was asked", || (proxy.forged.load(Ordering::Relaxed) >= 1).then_some(()));
    eventually("its fault was counted", || {
        counter(&dir, "nervure_chain_peer_faults_total ").filter(|n| *n >= 1)
    });
    eventually("blocks go on", || height(&dir).filter(|now| *now > before + 5));
    for node in [&dir, &validator] {
        let chain = run(node, &["status", "--json"]).succeeded().json()["chain"].clone();
        assert!(chain["failed"].is_null(), "{chain}");
        assert!(chain["behind"].is_null(), "no node believes a height without a certificate: {chain}");
    }
}
