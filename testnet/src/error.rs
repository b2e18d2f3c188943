//! The errors of a testnet.

use std::{io, path::PathBuf, time::Duration};

use nervure_anchor::AnchorKeyFileError;
use nervure_ledger::spec::SpecError;
use nervure_primitives::key_file::KeyFileError;

use crate::{Phase, mock_server::MOCK_SERVER};

/// Why an operation on a testnet failed.
#[derive(Debug, thiserror::Error)]
pub enum TestnetError {
    /// There is no testnet in that directory.
    #[error("there is no testnet in {0}")]
    NotATestnet(PathBuf),
    /// The testnet exists, but none of its nodes runs.
    #[error("the testnet in {0} is not running")]
    NotRunning(PathBuf),
    /// It runs already.
    #[error("the testnet in {dir} is running already{}", owner.map(|pid| format!(" (pid {pid})")).unwrap_or_default())]
    AlreadyRunning {
        /// Its directory.
        dir: PathBuf,
        /// The pid of the `up` that owns it, unless it was detached.
        owner: Option<u32>,
    },
    /// The directory has other files, which a testnet could overwrite.
    #[error("{0} is not empty and holds no testnet")]
    ForeignDirectory(PathBuf),
    /// No node has that name.
    #[error("the testnet has no node '{name}'; it has {}", known.join(", "))]
    UnknownNode {
        /// The name that was given.
        name: String,
        /// The names that there are.
        known: Vec<String>,
    },
    /// A node that should be started runs.
    #[error("{name} is running already (pid {pid})")]
    NodeRunning {
        /// The node.
        name: String,
        /// Its pid.
        pid: u32,
    },
    /// A node that should be killed does not run.
    #[error("{0} is not running")]
    NodeNotRunning(String),
    /// A node without an expert cannot be degraded.
    #[error("{0} serves no expert")]
    NoExpert(String),
    /// An anchor key cannot be created.
    #[error(transparent)]
    AnchorKey(#[from] AnchorKeyFileError),
    /// Too many nodes, or none.
    #[error("{0}")]
    BadShape(String),
    /// The state file is malformed or of another version.
    #[error("{path} is not the state of a testnet: {reason}")]
    BadState {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A key could not be written.
    #[error(transparent)]
    Key(#[from] KeyFileError),
    /// The system gave no randomness for a key.
    #[error("the system has no randomness for a key: {0}")]
    Randomness(String),
    /// The mesh spec of the plan was refused.
    #[error("the mesh spec was refused: {0}")]
    Spec(#[from] SpecError),
    /// A process could not be started.
    #[error("cannot start {name} from {binary}: {source}")]
    Spawn {
        /// The node.
        name: String,
        /// The program.
        binary: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A port that the plan had chosen was taken meanwhile.
    #[error("{name} found its port in use")]
    PortInUse {
        /// The node.
        name: String,
        /// The end of its log.
        log: String,
    },
    /// A node ended while the testnet was starting.
    #[error("{name} ended while the testnet was starting: {status}")]
    NodeEnded {
        /// The node.
        name: String,
        /// How it ended.
        status: String,
        /// The end of its log.
        log: String,
    },
    /// The testnet was not ready in time.
    #[error("after {} s the testnet was still waiting for: {phase} ({missing})", waited.as_secs())]
    NotReady {
        /// How long it was given.
        waited: Duration,
        /// The phase in which it was.
        phase: Phase,
        /// What the phase was waiting for.
        missing: String,
        /// The node to look at.
        name: String,
        /// The end of that node's log.
        log: String,
    },
    /// The contract is not on the development chain.
    #[error("the contract that keeps checkpoints is not deployed: {0}")]
    Deploy(String),
    /// The mock model server does not answer.
    #[error("after {} s the mock model server does not answer", waited.as_secs())]
    MockServerSilent {
        /// How long it was given.
        waited: Duration,
        /// The end of its log.
        log: String,
    },
    /// A node that serves from the mock model server cannot start without it.
    #[error("{0} serves from the mock model server, which is not running")]
    MockServerDown(String),
    /// The start was stopped before the testnet was ready.
    #[error("stopped before the testnet was ready; nothing is left running")]
    Interrupted,
    /// The testnet in the directory cannot be continued.
    #[error("the testnet in {dir} cannot be continued: {reason}")]
    NotResumable {
        /// The directory.
        dir: PathBuf,
        /// Why not.
        reason: &'static str,
    },
    /// Some processes did not end after SIGKILL.
    #[error("these nodes did not stop: {}", .0.join(", "))]
    StillRunning(Vec<String>),
    /// A file operation failed.
    #[error("cannot {action} {path}: {source}")]
    Io {
        /// The operation.
        action: &'static str,
        /// The path.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
}

impl TestnetError {
    /// For `map_err`: a failure to do `action` to `path`.
    pub(crate) fn io(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { action, path, source }
    }

    /// The last lines of the log of the node at fault, where there is one.
    pub fn log(&self) -> Option<(&str, &str)> {
        match self {
            Self::PortInUse { name, log }
            | Self::NodeEnded { name, log, .. }
            | Self::NotReady { name, log, .. } => Some((name, log)),
            Self::MockServerSilent { log, .. } => Some((MOCK_SERVER, log)),
            _ => None,
        }
    }
}
