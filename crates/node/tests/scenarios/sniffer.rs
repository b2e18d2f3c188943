//! A stranger that reads what a mesh tells everyone: gossip, the directory, what lookups of the DHT name, the ledger, and a
//! gateway's HTTP API.

use std::{sync::Arc, time::Duration};

use futures::{AsyncReadExt, AsyncWriteExt, StreamExt};
use libp2p::{StreamProtocol, Swarm, SwarmBuilder, multiaddr::Protocol, swarm::SwarmEvent};
use nervure_ledger::spec::MeshSpec;
use nervure_p2p::{
    AddressScope, Admission, DhtMode, GossipMessage, Multiaddr, Network, NetworkConfig, NetworkHandle,
    ProtocolSpec, TopicSpec, Verdict,
};
use nervure_primitives::{MeshId, Netuid, NodeId, NodeKey, UnixMillis, cbor};
use nervure_protocol::{
    ExpertRecord, Registry, SignedRecord,
    directory::{DirectoryRequest, DirectoryResponse, FindRecords, shard},
    names,
    protocols::DIRECTORY,
    topics,
};
use nervure_testnet::{Layout, NodeFile};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::mesh::{Mesh, http_text};

/// How long gossip may take to bring a record of the miner.
const GOSSIP_TIMEOUT: Duration = Duration::from_secs(90);

/// Longest page of the directory.
const MAX_PAGE: cbor::Limits = cbor::Limits::new(64 << 10);

/// Longest answer of the DHT that is read, in bytes.
const MAX_DHT_ANSWER: u64 = 1 << 16;

/// What was read.
#[derive(Default)]
pub struct Sniffed {
    pub gossip: Vec<Vec<u8>>,
    pub directory: Vec<Vec<u8>>,
    pub dht: Vec<Vec<u8>>,
    pub ledger: Vec<Vec<u8>>,
    pub http: Vec<Vec<u8>>,
    /// The records of the miner, as gossip brought them.
    pub gossiped: Vec<ExpertRecord>,
    /// The same, as the directory has them.
    pub listed: Vec<ExpertRecord>,
}

/// Whether `bytes` have `part` in them.
pub fn has(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

/// Takes every node for registered, so that it hears all of them, and lets every node advertise.
struct EveryNode;

impl Admission for EveryNode {
    fn is_registered(&self, _: &NodeId) -> bool {
        true
    }
}

impl Registry for EveryNode {
    fn may_advertise(&self, _: &NodeId, _: Netuid) -> bool {
        true
    }
}

/// Reads all of it, until gossip and directory have the expert `expert` of `miner`.
pub fn sniff(mesh: &Mesh, miner: NodeId, expert: &str) -> Sniffed {
    let text = std::fs::read_to_string(mesh.mesh_file()).unwrap();
    let spec = MeshSpec::parse(&text).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut sniffed = runtime.block_on(sniff_swarm(&spec, miner, expert));
    let layout = Layout::new(mesh.dir());
    let nodes = ["validator-1", "validator-2", "gateway-1"].map(|name| layout.node(name).dir().to_owned());
    for dir in &nodes {
        let file = NodeFile::read(dir).unwrap().unwrap();
        let at: Multiaddr =
            file.p2p.iter().find(|address| address.contains("/quic-v1/p2p/")).unwrap().parse().unwrap();
        let asked = [miner.peer_id().to_bytes(), file.node.peer_id().to_bytes(), b"anything".to_vec()];
        for key in asked {
            sniffed.dht.push(runtime.block_on(find_node(&at, &spec.mesh_id(), &key)));
        }
    }
    sniffed.ledger = vec![text.into_bytes(), std::fs::read(nodes[0].join("chain.redb")).unwrap()];
    let paths = ["peers", "status", "experts", "metrics"];
    sniffed.http = paths.map(|path| http_text(&nodes[2], path).into_bytes()).to_vec();
    sniffed
}

/// Joins the swarm as a stranger, and reads gossip and directory.
async fn sniff_swarm(spec: &MeshSpec, miner: NodeId, expert: &str) -> Sniffed {
    let mut config = NetworkConfig::new(NodeKey::from_seed(&[0x5a; 32]), spec.mesh_id(), AddressScope::Local);
    config.bootstrap = spec.network.bootstrap.iter().map(|address| address.parse().unwrap()).collect();
    config.mode = DhtMode::Client;
    let others = topics::ALL.into_iter().filter(|topic| *topic != topics::EXPERTS).map(TopicSpec::of);
    let of_experts = |netuid| TopicSpec::new(topics::experts(netuid), topics::EXPERTS.max_len);
    config.topics = others.chain(spec.subnets.iter().map(|subnet| of_experts(subnet.netuid))).collect();
    config.protocols = vec![ProtocolSpec::of(DIRECTORY)];
    let stop = CancellationToken::new();
    let _guard = stop.clone().drop_guard();
    let (network, messages) = Network::start(config, Arc::new(EveryNode), stop).unwrap();
    let mut sniffed = Sniffed::default();
    let which = Wanted { mesh: spec.mesh_id(), miner, expert };
    listen(messages, &mut sniffed, which).await;
    read_directory(&network, &mut sniffed, which).await;
    sniffed
}

/// Which records are looked for.
#[derive(Clone, Copy)]
struct Wanted<'a> {
    mesh: MeshId,
    miner: NodeId,
    expert: &'a str,
}

impl Wanted<'_> {
    /// A record, if it is one of them.
    fn read(self, bytes: &[u8]) -> Option<ExpertRecord> {
        let now = UnixMillis::from(std::time::SystemTime::now());
        let record = SignedRecord::verify(bytes, &self.mesh, now, &EveryNode).ok()?.record().clone();
        (record.node == self.miner && record.expert == self.expert).then_some(record)
    }
}

/// Hears gossip until two records of the miner came.
async fn listen(mut messages: mpsc::Receiver<GossipMessage>, sniffed: &mut Sniffed, which: Wanted<'_>) {
    let hear = async {
        while sniffed.gossiped.len() < 2 {
            let message = messages.recv().await.unwrap();
            sniffed.gossiped.extend(which.read(&message.data));
            sniffed.gossip.push(message.data.clone());
            message.judge(Verdict::Accept).await;
        }
    };
    let heard = tokio::time::timeout(GOSSIP_TIMEOUT, hear).await;
    assert!(heard.is_ok(), "no record of the miner in gossip");
}

/// Asks every connected node for the records of the miner's part of the subnet, until one has the miner's.
async fn read_directory(network: &NetworkHandle, sniffed: &mut Sniffed, which: Wanted<'_>) {
    let find = FindRecords {
        netuid: sniffed.gossiped[0].netuid,
        capability: None,
        shard: shard(&which.miner),
        filter: None,
        limit: u16::MAX,
        after: None,
    };
    let request = cbor::encode(&DirectoryRequest::Find(find)).unwrap();
    for _ in 0..100 {
        for peer in network.peers().await.unwrap() {
            // Refused beyond the rate, or by a node that serves none: asked again later.
            let answer = network.request(peer.node, DIRECTORY.name, request.clone()).await;
            let Ok(answer) = answer else { continue };
            if let Ok(DirectoryResponse::Page { records, .. }) = cbor::decode(&answer, MAX_PAGE) {
                sniffed.listed.extend(records.iter().filter_map(|record| which.read(record)));
            }
            sniffed.directory.push(answer);
        }
        if !sniffed.listed.is_empty() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    panic!("the directory has no record of the miner");
}

/// Asks the node at `at` which nodes it knows next to `key`, and returns its answer as it came: a request `FIND_NODE` of
/// libp2p's Kademlia.
async fn find_node(at: &Multiaddr, mesh: &MeshId, key: &[u8]) -> Vec<u8> {
    let mut swarm: Swarm<libp2p_stream::Behaviour> = SwarmBuilder::with_new_identity()
        .with_tokio()
        .with_quic()
        .with_behaviour(|_| libp2p_stream::Behaviour::new())
        .unwrap()
        .with_swarm_config(|config| config.with_idle_connection_timeout(Duration::from_secs(60)))
        .build();
    let mut control = swarm.behaviour().new_control();
    let Some(Protocol::P2p(peer)) = at.iter().last() else { panic!("{at} names no node") };
    swarm.dial(at.clone()).unwrap();
    while !matches!(swarm.select_next_some().await, SwarmEvent::ConnectionEstablished { .. }) {}
    let driver = tokio::spawn(async move {
        loop {
            swarm.select_next_some().await;
        }
    });
    let dht = StreamProtocol::try_from_owned(names::dht(mesh)).unwrap();
    let mut stream = control.open_stream(peer, dht).await.unwrap();
    // The type (field 1) is FIND_NODE (4), then the key (field 2); before them the length. All lengths have one byte.
    let mut request = vec![0x08, 4, 0x12, key.len() as u8];
    request.extend(key);
    request.insert(0, request.len() as u8);
    stream.write_all(&request).await.unwrap();
    stream.flush().await.unwrap();
    let answer = read_framed(stream).await;
    driver.abort();
    answer
}

/// One message with its length in front, as a variable-length integer.
async fn read_framed(mut stream: libp2p::Stream) -> Vec<u8> {
    let (mut length, mut shift) = (0u64, 0);
    loop {
        let mut byte = [0];
        stream.read_exact(&mut byte).await.unwrap();
        length |= u64::from(byte[0] & 0x7f) << shift;
        shift += 7;
        if byte[0] & 0x80 == 0 {
            break;
        }
    }
    let mut answer = vec![0; usize::try_from(length.min(MAX_DHT_ANSWER)).unwrap()];
    stream.read_exact(&mut answer).await.unwrap();
    answer
}
