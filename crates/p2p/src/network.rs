//! The control plane's task and its handle.

mod circuits;
mod command;
mod dialer;
mod handle;
mod metrics;
mod streams;
mod task;

use std::{sync::Arc, time::Duration};

use libp2p::{Swarm, swarm};
use nervure_primitives::NodeId;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::{
    Admission, NetworkConfig,
    address::is_circuit,
    behaviour::Behaviour,
    transport::{self, Carrier},
};

pub use command::{FollowError, GossipMessage, PublishError, Stopped, Verdict};
pub use handle::{NetworkHandle, NetworkStatus, PeerInfo};
pub use metrics::NetworkMetrics;
pub use streams::{QueryStreams, StreamError};
pub use task::PortMapping;

/// Commands that wait for the task; when the queue is full, the caller waits.
const MAX_QUEUED_COMMANDS: usize = 256;

/// Gossip messages that wait for a verdict; more are dropped and counted.
const MAX_QUEUED_GOSSIP: usize = 1024;

/// An unused connection is closed after this. Not shorter than a lookup takes.
const IDLE_TIMEOUT: Duration = Duration::from_secs(120);

/// Inbound streams of one connection that have not negotiated their protocol yet.
const MAX_NEGOTIATING_STREAMS: usize = 32;

/// The environment variable that makes libp2p's TLS write every session's keys to a file.
const KEY_LOG_VARIABLE: &str = "SSLKEYLOGFILE";

/// Why the control plane does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NetworkError {
    /// An address cannot be listened on.
    #[error("cannot listen on {address}: {reason}")]
    Listen {
        /// The address.
        address: libp2p::Multiaddr,
        /// The system's error.
        reason: String,
    },
    /// The environment asks for session keys to be written to a file.
    #[error(
        "{KEY_LOG_VARIABLE} is set: every session's keys would be written to that file. Unset it and start again"
    )]
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
        if std::env::var_os(KEY_LOG_VARIABLE).is_some() {
            return Err(NetworkError::KeyLog);
        }
        Self::start_over(Carrier::Sockets, config, admission, stop)
    }

    /// The same over channels within this process, with addresses such as `/memory/1`: for simulations with hundreds of
    /// nodes, which would run out of sockets and of time for handshakes.
    ///
    /// # Errors
    /// When an address is in use.
    pub fn start_in_memory(
        config: NetworkConfig,
        admission: Arc<dyn Admission>,
        stop: CancellationToken,
    ) -> Result<(NetworkHandle, mpsc::Receiver<GossipMessage>), NetworkError> {
        Self::start_over(Carrier::Memory, config, admission, stop)
    }

    fn start_over(
        carrier: Carrier,
        config: NetworkConfig,
        admission: Arc<dyn Admission>,
        stop: CancellationToken,
    ) -> Result<(NetworkHandle, mpsc::Receiver<GossipMessage>), NetworkError> {
        let mut swarm = swarm(&config, carrier).map_err(NetworkError::Setup)?;
        for address in config.listen.iter().filter(|address| !is_circuit(address)) {
            let failed = |reason: String| NetworkError::Listen { address: address.clone(), reason };
            swarm.listen_on(address.clone()).map_err(|error| failed(causes(&error)))?;
        }
        config.external.iter().for_each(|address| swarm.add_external_address(address.clone()));
        let (commands, inbox) = mpsc::channel(MAX_QUEUED_COMMANDS);
        let (gossip, messages) = mpsc::channel(MAX_QUEUED_GOSSIP);
        let streams = Streams::new(&swarm.behaviour().streams, &config.mesh).map_err(NetworkError::Setup)?;
        let handle = NetworkHandle::new(&config, commands, streams);
        let task = task::Task::new(swarm, config, admission, gossip).map_err(NetworkError::Setup)?;
        tokio::spawn(task.run(inbox, stop));
        Ok((handle, messages))
    }
}

fn swarm(config: &NetworkConfig, carrier: Carrier) -> Result<Swarm<Behaviour>, String> {
    let key = config.key.libp2p_keypair();
    let connections = transport::connections(&key, config, carrier)?;
    let behaviour = Behaviour::new(&key, config, connections.relay)?;
    let settings = swarm::Config::with_tokio_executor()
        .with_idle_connection_timeout(IDLE_TIMEOUT)
        .with_max_negotiating_inbound_streams(MAX_NEGOTIATING_STREAMS);
    Ok(Swarm::new(connections.transport, behaviour, key.public().to_peer_id(), settings))
}

/// An error's text with its causes, because the texts of libp2p's outer errors are empty.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let message = error.to_string();
        if !text.contains(&message) {
            text = if text.is_empty() { message } else { format!("{text}: {message}") };
        }
        cause = error.source();
    }
    text
}

/// The node of a peer; none for a key that is not a node key.
fn node_of(peer: libp2p::PeerId) -> Option<NodeId> {
    NodeId::try_from(peer).ok()
}
