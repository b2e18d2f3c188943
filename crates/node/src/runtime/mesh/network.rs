//! The network of a node: its settings, with the topics and protocols of all parts, and its start.

use std::{sync::Arc, time::Duration};

use nervure_p2p::{DhtMode, GossipMessage, InboundRequest, Multiaddr, Network, NetworkConfig, NetworkHandle};
use tokio::sync::mpsc::Receiver;
use tokio_util::sync::CancellationToken;

use super::{MeshSetup, chain_role};
use crate::runtime::{
    StartError, address, anchor, assignments, audit,
    chain::{self, ChainRole},
    directory, faucet, forward, gossip, light, live_scores, peer_reach,
    registry::LedgerRegistry,
    scope, score_gossip,
    sealed::{self, LedgerContacts},
    skew, state_sync, traffic,
};

/// Bootstrap nodes that an unregistered node without a role keeps connected: one may be silent, and one may lie. More would
/// take the room of others.
const FOLLOWED_NODES: usize = 4;

/// Name of the file with the known peers, in the node's directory.
const PEER_STORE: &str = "peers.cbor";

/// How long the network may take to listen.
const LISTEN_TIMEOUT: Duration = Duration::from_secs(30);

/// A network that listens, and what arrives there.
pub(super) struct StartedNetwork {
    pub(super) network: NetworkHandle,
    pub(super) messages: Receiver<GossipMessage>,
    pub(super) requests: Receiver<InboundRequest>,
    pub(super) listening: Vec<Multiaddr>,
    pub(super) alone: bool,
}

/// Starts the network, and waits until it listens.
pub(super) async fn start_network(
    setup: MeshSetup<'_>,
    registry: &LedgerRegistry,
    stop: &CancellationToken,
) -> Result<StartedNetwork, StartError> {
    let (inbox, requests) = directory::channel();
    let settings = NetworkConfig { requests: Some(inbox), ..network_config(setup, registry)? };
    let alone = settings.bootstrap.is_empty();
    let (network, messages) = Network::start(settings, Arc::new(registry.clone()), stop.clone())?;
    let listening = match setup.config.sealed {
        true => Vec::new(),
        false => listening(&network).await?,
    };
    Ok(StartedNetwork { network, messages, requests, listening, alone })
}

fn network_config(setup: MeshSetup<'_>, registry: &LedgerRegistry) -> Result<NetworkConfig, StartError> {
    let MeshSetup { config, spec, key, .. } = setup;
    let mut network = NetworkConfig::new(key.clone(), spec.mesh_id(), scope(spec));
    network.listen = address::listen(&config.bind, config.p2p_port);
    network.reach.relay_server = config.relay_server;
    network.reach.mdns = config.mdns;
    network.external.clone_from(&config.external);
    if config.follow {
        network.topics = gossip::topics(spec.subnets.iter().map(|subnet| subnet.netuid));
        network.topics.extend([score_gossip::topic(), traffic::topic()]);
        network.topics.extend(assignments::topics());
        network.families.push(gossip::later(spec.economy.max_subnets));
    }
    network.protocols = vec![directory::protocol(), skew::protocol(), forward::protocol()];
    network.protocols.extend([live_scores::protocol(), audit::protocol()]);
    if config.follow {
        network.topics.extend(chain::topics(chain_role(config) == ChainRole::Validator));
        network.protocols.extend(chain::protocols());
        network.topics.push(anchor::topic());
    }
    if !config.follow {
        network.protocols.push(chain::submission_protocol());
    }
    network.protocols.push(peer_reach::protocol());
    network.protocols.push(faucet::protocol());
    network.protocols.push(light::protocol());
    network.protocols.push(anchor::protocol());
    network.protocols.push(state_sync::protocol());
    network.peer_store = Some(config.dir.join(PEER_STORE));
    if setup.is_ephemeral(registry) {
        network.kept_bootstrap = FOLLOWED_NODES;
        // A DHT server would never be asked: routing tables hold registered nodes only.
        network.mode = DhtMode::Client;
        // It is asked nothing, and a relay's places are few.
        network.reach.auto_relay = false;
    }
    network.bootstrap = address::bootstrap(spec, &key.node_id())?;
    sealed::check(config, spec, key.node_id())?;
    if config.sealed {
        network = network.sealed(LedgerContacts::of(registry.clone(), key.node_id(), &config.contacts));
    }
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
    tokio::time::timeout(LISTEN_TIMEOUT, wait).await.unwrap_or(Err(StartError::ListenTimeout(LISTEN_TIMEOUT)))
}
