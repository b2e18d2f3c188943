//! The control plane's task and its handle.

mod command;
mod dialer;
mod handle;
mod task;

use std::sync::Arc;

use libp2p::{Swarm, SwarmBuilder, noise, tcp, yamux};
use nervure_primitives::NodeId;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::{Admission, NetworkConfig, behaviour::Behaviour};

pub use command::{GossipMessage, PublishError, Stopped, Verdict};
pub use handle::{NetworkHandle, NetworkStatus, PeerInfo};

/// Commands that wait for the task; a caller waits when it is full.
const COMMANDS: usize = 256;

/// Gossip that waits for its verdict; more is ignored, and comes again from another peer.
const GOSSIP: usize = 1024;

/// Bytes that a QUIC connection may have in flight towards us; control messages are small.
const QUIC_WINDOW: u32 = 1 << 20;

/// Streams that a peer may have open towards us on one connection.
const QUIC_STREAMS: u32 = 64;

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
        let mut swarm = swarm(&config)?;
        for address in &config.listen {
            let failed = |reason: String| NetworkError::Listen { address: address.clone(), reason };
            swarm.listen_on(address.clone()).map_err(|error| failed(error.to_string()))?;
        }
        config.external.iter().for_each(|address| swarm.add_external_address(address.clone()));
        let (commands, inbox) = mpsc::channel(COMMANDS);
        let (gossip, messages) = mpsc::channel(GOSSIP);
        let node = config.key.node_id();
        let task = task::Task::new(swarm, config, admission, gossip).map_err(NetworkError::Setup)?;
        tokio::spawn(task.run(inbox, stop));
        Ok((NetworkHandle::new(node, commands), messages))
    }
}

fn swarm(config: &NetworkConfig) -> Result<Swarm<Behaviour>, NetworkError> {
    let setup = |error: &dyn std::fmt::Display| NetworkError::Setup(error.to_string());
    let mut yamux = yamux::Config::default();
    yamux.set_max_num_streams(QUIC_STREAMS as usize);
    let behaviour = Behaviour::new(&config.key.libp2p_keypair(), config).map_err(NetworkError::Setup)?;
    let swarm = SwarmBuilder::with_existing_identity(config.key.libp2p_keypair())
        .with_tokio()
        .with_tcp(tcp::Config::default().nodelay(true), noise::Config::new, move || yamux.clone())
        .map_err(|error| setup(&error))?
        .with_quic_config(|mut quic| {
            quic.max_concurrent_stream_limit = QUIC_STREAMS;
            quic.max_connection_data = QUIC_WINDOW;
            quic.max_stream_data = QUIC_WINDOW;
            quic
        })
        .with_dns()
        .map_err(|error| setup(&error))?
        .with_behaviour(|_| behaviour)
        .map_err(|error| setup(&error))?
        .with_swarm_config(|swarm| swarm.with_idle_connection_timeout(std::time::Duration::from_secs(60)))
        .build();
    Ok(swarm)
}

/// A peer as a node, or nothing for keys that are not ours.
fn node_of(peer: libp2p::PeerId) -> Option<NodeId> {
    NodeId::try_from(peer).ok()
}
