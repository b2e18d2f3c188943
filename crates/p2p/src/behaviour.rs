//! The protocols of the swarm, each with its bounds.
//!
//! What a hostile peer can do, part by part. *Kademlia*: answer lookups with false addresses, which we treat as hints;
//! it cannot store records here (all are refused) nor enter the routing table (entries are admitted one by one), and its
//! lookups are bounded ([`crate::dht`]).
//! *Gossip*: see [`crate::gossip`]. *Identify*: claim addresses and a mesh; a wrong mesh is disconnected, and addresses
//! are bounded and filtered. *Ping*: nothing. *Requests*: see [`crate::request`]. *Relay*: use what the limits below
//! allow. *AutoNAT*: have us dial an address, which the dial filter judges, and which costs it more bytes than us.
//! *Connections*: as many as the limits allow. *Contacts*: nothing, on a sealed node, unless it is one of them.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use libp2p::{
    PeerId, StreamProtocol, allow_block_list, autonat,
    connection_limits::{self, ConnectionLimits},
    dcutr, identify,
    identity::Keypair,
    kad::{self, store::MemoryStore, store::MemoryStoreConfig},
    mdns, memory_connection_limits, ping, relay,
    request_response::{self, ProtocolSupport},
    swarm::{NetworkBehaviour, behaviour::toggle::Toggle},
    upnp,
};
use nervure_primitives::PROTOCOL_VERSION;
use nervure_protocol::names;

use crate::{
    AddressScope, DhtMode, NetworkConfig,
    dht::Dht,
    gossip::{self, Gossip},
    request::{
        MAX_INBOUND_BYTES,
        codec::{self, Codec},
    },
    roads::RoadStreams,
};

/// Share of the machine's memory above which no connection is taken, where the configuration names no bytes.
const MAX_MEMORY_SHARE: f64 = 0.9;

/// Request streams of one connection, in and out together.
const MAX_REQUEST_STREAMS: usize = 32;

/// Timeout of a request stream where no protocol is configured.
const DEFAULT_REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

/// Limits of a relay: reservations, circuits, and the time and bytes of each circuit.
const MAX_RESERVATIONS: usize = 128;
const MAX_CIRCUITS: usize = 256;
const MAX_CIRCUITS_PER_PEER: usize = 16;
const MAX_CIRCUIT_DURATION: Duration = Duration::from_secs(600);
const MAX_CIRCUIT_BYTES: u64 = 16 << 20;

/// The nodes that a sealed node connects to; a connection to any other is denied.
type ContactList = allow_block_list::Behaviour<allow_block_list::AllowedPeers>;

/// All protocols of the swarm.
#[derive(NetworkBehaviour)]
pub(crate) struct Behaviour {
    limits: connection_limits::Behaviour,
    memory: memory_connection_limits::Behaviour,
    pub(crate) contacts: Toggle<ContactList>,
    pub(crate) kad: Dht,
    pub(crate) gossip: Gossip,
    pub(crate) identify: identify::Behaviour,
    pub(crate) ping: ping::Behaviour,
    pub(crate) requests: request_response::Behaviour<Codec>,
    pub(crate) streams: RoadStreams,
    circuits: relay::client::Behaviour,
    relay: Toggle<relay::Behaviour>,
    pub(crate) holes: Toggle<dcutr::Behaviour>,
    pub(crate) probe: Toggle<autonat::v2::client::Behaviour>,
    prober: Toggle<autonat::v2::server::Behaviour>,
    upnp: Toggle<upnp::tokio::Behaviour>,
    mdns: Toggle<mdns::tokio::Behaviour>,
}

impl Behaviour {
    /// The behaviour for `config`.
    pub(crate) fn new(
        key: &Keypair,
        config: &NetworkConfig,
        circuits: relay::client::Behaviour,
    ) -> Result<Self, String> {
        let peer = key.public().to_peer_id();
        // Operators see which nodes of a mesh know the next version of its rules (`nervure peers`).
        let program = format!("{}+protocol.{PROTOCOL_VERSION}", env!("CARGO_PKG_VERSION"));
        let identify = identify::Config::new(names::mesh_version(&config.mesh), key.public())
            .with_agent_version(names::agent(&program, SystemTime::now()))
            .with_push_listen_addr_updates(true)
            .with_cache_size(0);
        let reach = &config.reach;
        let public = config.scope == AddressScope::Public;
        Ok(Self {
            limits: connection_limits::Behaviour::new(limits(config)),
            memory: memory(config),
            contacts: config.contacts.is_some().then(ContactList::default).into(),
            kad: Dht::new(kademlia(peer, config)?, config),
            gossip: gossip::behaviour(config)?,
            identify: identify::Behaviour::new(identify),
            ping: ping::Behaviour::new(ping::Config::new().with_interval(Duration::from_secs(5))),
            requests: requests(config)?,
            streams: RoadStreams::new(),
            circuits,
            relay: reach.relay_server.then(|| relay_server(peer)).into(),
            holes: reach.hole_punching.then(|| dcutr::Behaviour::new(peer)).into(),
            probe: reach.autonat.then(autonat::v2::client::Behaviour::default).into(),
            prober: reach.autonat.then(autonat::v2::server::Behaviour::default).into(),
            upnp: (reach.upnp && public).then(upnp::tokio::Behaviour::default).into(),
            mdns: multicast(peer, reach.mdns && !public)?.into(),
        })
    }
}

fn limits(config: &NetworkConfig) -> ConnectionLimits {
    ConnectionLimits::default()
        .with_max_established(Some(config.connections))
        // The rest is for connections that this node makes, so that inbound peers cannot eclipse it.
        .with_max_established_incoming(Some(config.connections - config.connections / 4))
        // A relayed one, the direct one that replaces it, and one of both sides dialling at once.
        .with_max_established_per_peer(Some(3))
        .with_max_pending_incoming(Some(64))
        .with_max_pending_outgoing(Some(64))
}

fn memory(config: &NetworkConfig) -> memory_connection_limits::Behaviour {
    match config.max_memory {
        Some(bytes) => memory_connection_limits::Behaviour::with_max_bytes(bytes),
        None => memory_connection_limits::Behaviour::with_max_percentage(MAX_MEMORY_SHARE),
    }
}

fn kademlia(peer: PeerId, config: &NetworkConfig) -> Result<kad::Behaviour<MemoryStore>, String> {
    let name = StreamProtocol::try_from_owned(names::dht(&config.mesh)).map_err(|error| error.to_string())?;
    let mut kad = kad::Config::new(name);
    kad.set_record_filtering(kad::StoreInserts::FilterBoth)
        .set_kbucket_inserts(kad::BucketInserts::Manual)
        .set_query_timeout(Duration::from_secs(10))
        .disjoint_query_paths(true);
    // Record filtering stores nothing already; zero bounds make sure of it.
    let store = MemoryStoreConfig { max_records: 0, max_provided_keys: 0, ..MemoryStoreConfig::default() };
    let mut behaviour = kad::Behaviour::with_config(peer, MemoryStore::with_config(peer, store), kad);
    behaviour.set_mode(Some(match config.mode {
        DhtMode::Server => kad::Mode::Server,
        DhtMode::Client => kad::Mode::Client,
    }));
    Ok(behaviour)
}

fn requests(config: &NetworkConfig) -> Result<request_response::Behaviour<Codec>, String> {
    codec::check(&config.protocols)?;
    let name =
        StreamProtocol::try_from_owned(names::requests(&config.mesh)).map_err(|error| error.to_string())?;
    let longest = config.protocols.iter().map(|spec| spec.timeout).max().unwrap_or(DEFAULT_REQUEST_TIMEOUT);
    let support = if config.protocols.is_empty() { None } else { Some((name, ProtocolSupport::Full)) };
    let settings = request_response::Config::default()
        .with_request_timeout(longest)
        .with_max_concurrent_streams(MAX_REQUEST_STREAMS);
    let specs = Arc::from(config.protocols.as_slice());
    let codec = Codec::new(specs, MAX_INBOUND_BYTES, config.metrics.clone());
    Ok(request_response::Behaviour::with_codec(codec, support, settings))
}

/// Request rates are libp2p's defaults: per node and per address.
fn relay_server(peer: PeerId) -> relay::Behaviour {
    let limits = relay::Config {
        max_reservations: MAX_RESERVATIONS,
        max_reservations_per_peer: 1,
        max_circuits: MAX_CIRCUITS,
        max_circuits_per_peer: MAX_CIRCUITS_PER_PEER,
        max_circuit_duration: MAX_CIRCUIT_DURATION,
        max_circuit_bytes: MAX_CIRCUIT_BYTES,
        ..relay::Config::default()
    };
    let mut relay = relay::Behaviour::new(peer, limits);
    // Without this, the relay would wait until the node knows an external address.
    relay.set_status(Some(relay::Status::Enable));
    relay
}

fn multicast(peer: PeerId, wanted: bool) -> Result<Option<mdns::tokio::Behaviour>, String> {
    if !wanted {
        return Ok(None);
    }
    mdns::tokio::Behaviour::new(mdns::Config::default(), peer)
        .map(Some)
        .map_err(|error| format!("mDNS: {error}"))
}
