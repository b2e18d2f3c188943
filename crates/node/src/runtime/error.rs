//! Why a node does not start.

use std::{io, path::PathBuf, time::Duration};

use nervure_anchor::AnchorKeyFileError;
use nervure_gateway::{ApiKeyError, ApiKeyFileError, GatewayError};
use nervure_ledger::{chain::StartError as GenesisError, spec::Role};
use nervure_p2p::{NetworkError, query};
use nervure_primitives::{NodeId, key_file::KeyFileError};
use nervure_store::StoreError;

use super::{
    StateSyncError, chain::OpenError, experts::ServeError, ports::PortError, validator::CorpusError,
};

/// Why a node does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// A builder lacks a setting.
    #[error("the node has no {missing}")]
    Incomplete {
        /// The setter that has to be called.
        missing: &'static str,
    },
    /// The node's key file cannot be read or made.
    #[error(transparent)]
    Key(#[from] KeyFileError),
    /// The system has no randomness for a key.
    #[error("the system has no randomness for a key")]
    NoRandomness,
    /// The state of the checkpoint cannot be synced.
    #[error(transparent)]
    StateSync(#[from] Box<StateSyncError>),
    /// The node is not registered for its role.
    #[error("this node ({node}) is not registered as a {wanted} in the mesh: {}", match registered {
        Some(_) => "it is a node of the ledger and has no slot in a subnet",
        None => "the mesh spec does not list it under [[nodes]], and no transaction that is known here registered it",
    })]
    NotRegistered {
        /// The node.
        node: NodeId,
        /// The configured role.
        wanted: Role,
        /// The role that it is registered for.
        registered: Option<Role>,
    },
    /// The chain in the node's directory cannot be used.
    #[error(transparent)]
    Chain(#[from] OpenError),
    /// The anchor key, or the key of the account that pays, cannot be read or made.
    #[error(transparent)]
    AnchorKey(#[from] AnchorKeyFileError),
    /// The configuration needs the anchor's chain, which this build cannot reach.
    #[cfg(not(feature = "anchor-evm"))]
    #[error(transparent)]
    Anchor(#[from] super::AnchoredError),
    /// The thread of the chain does not start.
    #[error("the thread of the chain does not start: {0}")]
    Thread(io::Error),
    /// A configured port cannot be bound.
    #[error(transparent)]
    Port(#[from] PortError),
    /// An expert cannot be served.
    #[error(transparent)]
    Serve(#[from] ServeError),
    /// A validator's texts cannot be used.
    #[error("the corpus: {0}")]
    Corpus(#[from] CorpusError),
    /// The record of the texts that a validator has asked cannot be read or made.
    #[error("the record of the texts that this validator has asked cannot be used: {0}")]
    AskedCells(io::Error),
    /// The network does not start.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// The network started and listens nowhere.
    #[error("the network does not listen on any address")]
    NotListening,
    /// The network does not listen in time.
    #[error("the network does not listen on any address after {} s", .0.as_secs())]
    ListenTimeout(Duration),
    /// A bootstrap address of the mesh spec is invalid.
    #[error("network.bootstrap in the mesh spec has '{address}': {reason}")]
    Bootstrap {
        /// The address as written.
        address: String,
        /// Why it is invalid.
        reason: String,
    },
    /// The node is to be sealed, and another setting tells its address.
    #[error("this node cannot be sealed: {why}")]
    Sealed {
        /// The setting.
        why: &'static str,
    },
    /// The query plane does not start.
    #[error(transparent)]
    Query(#[from] query::StartError),
    /// An API key is invalid.
    #[error("the API key is unusable: {0}")]
    ApiKey(#[from] ApiKeyError),
    /// The named API keys, or what they used, cannot be read.
    #[error(transparent)]
    NamedKeys(#[from] ApiKeyFileError),
    /// The HTTP API does not start.
    #[error(transparent)]
    Http(#[from] GatewayError),
    /// `node.json` cannot be written.
    #[error("cannot write {}: {source}", path.display())]
    NodeFile {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

impl StartError {
    /// Whether another process uses a configured port.
    pub(crate) fn port_in_use(&self) -> bool {
        matches!(self, Self::Port(error) if error.in_use())
    }

    /// The next step for the user.
    pub(crate) fn hint(&self) -> &'static str {
        match self {
            Self::Incomplete { .. } => "call that setter of the builder before start",
            Self::NotRegistered { .. } => {
                "get a slot with nervure key register and nervure neuron register on a node that runs, let the mesh's \
                 founder list its id (nervure key show), or join with --role none to look around"
            }
            Self::Chain(OpenError::Store(StoreError::Locked { .. })) => {
                "stop the other node of this directory first"
            }
            Self::Chain(OpenError::Store(StoreError::OtherMesh { .. } | StoreError::Format { .. })) => {
                "use another directory, or move chain.redb and consensus.wal away"
            }
            Self::Chain(OpenError::Store(StoreError::Start(GenesisError::NeedsState { .. }))) => {
                "name the file of the last certified state: --state FILE, or fetch the state from other nodes: --checkpoint \
                 genesis"
            }
            Self::Chain(OpenError::Log(error)) if error.is_in_use() => {
                "stop the other node of this directory first: two that sign with one key can split the mesh"
            }
            Self::Chain(OpenError::Log(error)) if error.is_damage() => {
                "do not delete it. Run the same command once with --accept-damaged-log: the node then signs nothing \
                 at the block that the lost part may be about, and keeps the file as consensus.wal.damaged"
            }
            Self::NodeFile { .. } | Self::Chain(OpenError::Store(StoreError::Io(_)) | OpenError::Log(_)) => {
                "make room on the disk, or look at the directory's permissions"
            }
            Self::Chain(OpenError::Store(..)) => {
                "move chain.redb away, and never consensus.wal: the blocks come again from others, but only the log \
                 knows what this node signed"
            }
            Self::AskedCells(_) => {
                "look at the permissions of validator/asked-cells in the node's directory; do not delete it while the same \
                 texts are in use"
            }
            Self::NamedKeys(_) => {
                "correct the file or move it away: without api-keys.json there are no named keys, without api-usage.json the \
                 limits of this day begin again"
            }
            Self::Port(error) => error.hint(),
            Self::Serve(_) => "what can be served: nervure join --help",
            Self::Bootstrap { .. } => {
                "an address looks like /ip4/203.0.113.7/udp/4001/quic-v1/p2p/12D3KooW..."
            }
            Self::Sealed { .. } => "leave that setting out, or join without --sealed (sealed in node.toml)",
            _ => "see the message, or run with NERVURE_LOG=debug",
        }
    }
}
