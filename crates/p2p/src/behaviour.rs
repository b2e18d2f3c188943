//! What the swarm speaks, each part with its bounds set.
//!
//! What a hostile peer can do, part by part. *Kademlia*: answer lookups with lies, which are only hints; it cannot
//! store records here (all are refused) nor enter the routing table (we admit by hand). *Gossip*: send what our
//! validator has not judged yet; nothing is forwarded before the verdict, and ids are content hashes, so that a
//! copy is recognised whoever sends it. *Identify*: claim addresses and a mesh; a wrong mesh is disconnected, and
//! addresses are bounded and filtered. *Ping*: nothing. *Connections*: as many as the limits allow.

use std::time::Duration;

use libp2p::{
    PeerId, StreamProtocol,
    connection_limits::{self, ConnectionLimits},
    gossipsub::{self, MessageAuthenticity, MessageId, ValidationMode},
    identify,
    identity::Keypair,
    kad::{self, store::MemoryStore, store::MemoryStoreConfig},
    ping,
    swarm::NetworkBehaviour,
};
use nervure_primitives::{Hash, MeshId};

use crate::{DhtMode, NetworkConfig, Scope};

/// Heartbeat of gossip: short where a mesh must form within a second, the protocol's own elsewhere.
const HEARTBEAT_LOCAL: Duration = Duration::from_millis(300);
const HEARTBEAT_PUBLIC: Duration = Duration::from_secs(1);

/// Messages that wait for one slow peer.
const GOSSIP_QUEUE: usize = 256;

/// Bytes that the protocol adds to a gossip message, rounded up.
const GOSSIP_OVERHEAD: usize = 512;

/// Everything that the swarm speaks.
#[derive(NetworkBehaviour)]
pub(crate) struct Behaviour {
    limits: connection_limits::Behaviour,
    pub(crate) kad: kad::Behaviour<MemoryStore>,
    pub(crate) gossip: gossipsub::Behaviour,
    pub(crate) identify: identify::Behaviour,
    pub(crate) ping: ping::Behaviour,
}

/// What identify calls a mesh; a peer that says another one is of another mesh.
pub(crate) fn protocol_version(mesh: &MeshId) -> String {
    format!("/nervure/{mesh}")
}

/// The DHT's protocol; whoever speaks it answers lookups.
pub(crate) fn dht_protocol(mesh: &MeshId) -> String {
    format!("/nervure/{}/kad/1", mesh.short())
}

impl Behaviour {
    /// The behaviour for `config`.
    pub(crate) fn new(key: &Keypair, config: &NetworkConfig) -> Result<Self, String> {
        let peer = key.public().to_peer_id();
        let identify = identify::Config::new(protocol_version(&config.mesh), key.public())
            .with_agent_version(concat!("nervure/", env!("CARGO_PKG_VERSION")).into())
            .with_push_listen_addr_updates(true)
            .with_cache_size(0);
        Ok(Self {
            limits: connection_limits::Behaviour::new(limits(config)),
            kad: dht(peer, config)?,
            gossip: gossip(config)?,
            identify: identify::Behaviour::new(identify),
            ping: ping::Behaviour::new(ping::Config::new().with_interval(Duration::from_secs(5))),
        })
    }
}

fn limits(config: &NetworkConfig) -> ConnectionLimits {
    ConnectionLimits::default()
        .with_max_established(Some(config.connections))
        .with_max_established_per_peer(Some(2))
        .with_max_pending_incoming(Some(64))
        .with_max_pending_outgoing(Some(64))
}

fn dht(peer: PeerId, config: &NetworkConfig) -> Result<kad::Behaviour<MemoryStore>, String> {
    let name = StreamProtocol::try_from_owned(dht_protocol(&config.mesh)).map_err(|error| error.to_string())?;
    let mut kad = kad::Config::new(name);
    kad.set_record_filtering(kad::StoreInserts::FilterBoth)
        .set_kbucket_inserts(kad::BucketInserts::Manual)
        .set_query_timeout(Duration::from_secs(10))
        .disjoint_query_paths(true);
    // Nothing is ever stored; the bounds say so once more.
    let store = MemoryStoreConfig { max_records: 0, max_provided_keys: 0, ..MemoryStoreConfig::default() };
    let mut behaviour = kad::Behaviour::with_config(peer, MemoryStore::with_config(peer, store), kad);
    behaviour.set_mode(Some(match config.mode {
        DhtMode::Server => kad::Mode::Server,
        DhtMode::Client => kad::Mode::Client,
    }));
    Ok(behaviour)
}

fn gossip(config: &NetworkConfig) -> Result<gossipsub::Behaviour, String> {
    let longest = config.topics.iter().map(|topic| topic.max_len).max().unwrap_or(0);
    let heartbeat = match config.scope {
        Scope::Local => HEARTBEAT_LOCAL,
        Scope::Public => HEARTBEAT_PUBLIC,
    };
    let settings = gossipsub::ConfigBuilder::default()
        .heartbeat_interval(heartbeat)
        .heartbeat_initial_delay(heartbeat / 3)
        .validation_mode(ValidationMode::Anonymous)
        .validate_messages()
        .max_transmit_size(longest + GOSSIP_OVERHEAD)
        .connection_handler_queue_len(GOSSIP_QUEUE)
        .flood_publish(true)
        .protocol_id_prefix(format!("/nervure/{}/gossip", config.mesh.short()))
        .message_id_fn(|message| {
            let topic = message.topic.as_str().as_bytes();
            MessageId::from(Hash::of("nervure/gossip", &[topic, &message.data]).as_bytes().to_vec())
        })
        .build()
        .map_err(|error| error.to_string())?;
    gossipsub::Behaviour::new(MessageAuthenticity::Anonymous, settings).map_err(ToString::to_string)
}
