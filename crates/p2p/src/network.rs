//! The control plane's task and its handle.

mod circuits;
mod command;
mod dialer;
mod handle;
mod streams;
mod task;

use std::{
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};

use libp2p::{Swarm, swarm};
use nervure_primitives::NodeId;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::{Admission, NetworkConfig, behaviour::Behaviour, transport};

pub use command::{FollowError, GossipMessage, PublishError, Stopped, Verdict};
pub use handle::{NetworkHandle, NetworkStatus, PeerInfo};
pub use streams::{QueryStreams, StreamError};

/// Commands that wait for the task; a caller waits when it is full.
const COMMANDS: usize = 256;

/// Gossip that waits for its verdict; more is lost to this node, and counted.
const GOSSIP: usize = 1024;

/// A connection that nobody uses is closed after this. Not shorter than a lookup takes.
const IDLE: Duration = Duration::from_secs(120);

/// Inbound streams of one connection that have not said yet which protocol they want.
const NEGOTIATING: usize = 32;

/// The environment variable that would make libp2p's TLS write down every session's key.
const KEY_LOG: &str = "SSLKEYLOGFILE";

/// Why the control plane does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NetworkError {
    /// An address cannot be listened on.
    #[error("cannot listen on {address}: {reason}")]
    Listen {
        /// The address.
        address: libp2p::Multiaddr,
        /// What the system said.
        reason: String,
    },
    /// The environment asks for session keys to be written to a file.
    #[error("{KEY_LOG} is set: every session's keys would be written to that file. Unset it and start again")]
    KeyLog,
    /// A part of the swarm cannot be set up.
    #[error("cannot set up the network: {0}")]
    Setup(String),
}

use streams::Streams;

/// Starts the control plane.
pub struct Network;

impl Network {
    /// Starts the task that owns the swarm. It ends with `stop`, or when every handle is gone.
    ///
    /// # Errors
    /// When an address cannot be listened on.
    pub fn start(
        config: NetworkConfig,
        admission: Arc<dyn Admission>,
        stop: CancellationToken,
    ) -> Result<(NetworkHandle, mpsc::Receiver<GossipMessage>), NetworkError> {
        if std::env::var_os(KEY_LOG).is_some() {
            return Err(NetworkError::KeyLog);
        }
        let (mut swarm, refused) = swarm(&config).map_err(NetworkError::Setup)?;
        for address in config.listen.iter().filter(|address| !circuits::is_circuit(address)) {
            let failed = |reason: String| NetworkError::Listen { address: address.clone(), reason };
            swarm.listen_on(address.clone()).map_err(|error| failed(causes(&error)))?;
        }
        config.external.iter().for_each(|address| swarm.add_external_address(address.clone()));
        let (commands, inbox) = mpsc::channel(COMMANDS);
        let (gossip, messages) = mpsc::channel(GOSSIP);
        let streams = Streams::new(swarm.behaviour().streams.new_control(), &config.mesh)
            .map_err(NetworkError::Setup)?;
        let handle = NetworkHandle::new(config.key.node_id(), commands, config.protocols.clone(), streams);
        let task = task::Task::new(swarm, config, admission, gossip, refused).map_err(NetworkError::Setup)?;
        tokio::spawn(task.run(inbox, stop));
        Ok((handle, messages))
    }
}

/// What is refused where only a counter can say so.
struct Refused {
    dials: Arc<AtomicU64>,
    requests: Arc<AtomicU64>,
}

fn swarm(config: &NetworkConfig) -> Result<(Swarm<Behaviour>, Refused), String> {
    let key = config.key.libp2p_keypair();
    let connections = transport::connections(&key, config)?;
    let refused = Refused { dials: connections.refused, requests: Arc::default() };
    let behaviour = Behaviour::new(&key, config, connections.relay, refused.requests.clone())?;
    let settings = swarm::Config::with_tokio_executor()
        .with_idle_connection_timeout(IDLE)
        .with_max_negotiating_inbound_streams(NEGOTIATING);
    let swarm = Swarm::new(connections.transport, behaviour, key.public().to_peer_id(), settings);
    Ok((swarm, refused))
}

/// What an error says, and what caused it: libp2p's outer errors say nothing.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let said = error.to_string();
        if !text.contains(&said) {
            text = if text.is_empty() { said } else { format!("{text}: {said}") };
        }
        cause = error.source();
    }
    text
}

/// A peer as a node, or nothing for keys that are not ours.
fn node_of(peer: libp2p::PeerId) -> Option<NodeId> {
    NodeId::try_from(peer).ok()
}
