//! Finds a running node of this machine by its directory.
//!
//! Every node writes the address of its HTTP API to `node.json`. A directory with that file is a node's, one with
//! `testnet.json` is a testnet's. Of a testnet, the first running gateway is used, else its first running node.

use std::{
    io,
    path::{Path, PathBuf},
};

use nervure_api::{Client, ClientError, Endpoint};
use nervure_primitives::MeshId;
use nervure_testnet::{Layout, NodeFile};

use crate::api_token;

/// Exit code if no node runs.
const NOT_RUNNING_EXIT: u8 = 8;

/// Why there is no node to send requests to.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LocalNodeError {
    /// No node runs there.
    #[error("no node and no testnet is running in {}", .0.display())]
    NotRunning(PathBuf),
    /// Its files cannot be read.
    #[error("cannot read the state in {}: {source}", dir.display())]
    State {
        /// The directory.
        dir: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The HTTP client cannot be created.
    #[error(transparent)]
    Client(#[from] ClientError),
}

/// A running node, and the mesh that it is in.
#[derive(Clone)]
pub(crate) struct LocalNode {
    client: Client,
    mesh: Option<MeshId>,
}

impl LocalNodeError {
    /// The next step for the user.
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Self::NotRunning(_) => {
                Some(
                    "join a mesh for this command: --mesh SPEC; or start a mesh on this machine: nervure testnet up; or \
                     name a node's directory with --dir"
                        .into(),
                )
            }
            Self::State { .. } => None,
            Self::Client(error) => error.hint(),
        }
    }

    /// The exit code of a command that failed with this.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::NotRunning(_) => NOT_RUNNING_EXIT,
            Self::State { .. } => 1,
            Self::Client(error) => error.exit_code(),
        }
    }
}

impl LocalNode {
    /// The node or testnet that runs in `dir`.
    pub(crate) fn find(dir: &Path) -> Result<Self, LocalNodeError> {
        let state = |source| LocalNodeError::State { dir: dir.into(), source };
        let mut running = running_in(dir).map_err(state)?;
        running.sort_by_key(|(_, file)| (file.role != "gateway", file.name.clone()));
        let (dir, file) = running.into_iter().next().ok_or_else(|| LocalNodeError::NotRunning(dir.into()))?;
        Ok(Self::of(&dir, &file)?)
    }

    /// The node in `dir` that `file` describes.
    pub(crate) fn of(dir: &Path, file: &NodeFile) -> Result<Self, ClientError> {
        let Self { client, .. } = Self::at(file.http)?;
        let client = match api_token::read(dir) {
            Some(token) => client.with_key(&token),
            None => client,
        };
        Ok(Self { client, mesh: Some(file.mesh) })
    }

    /// The node whose HTTP API is at `http`; it is not trusted.
    pub(crate) fn at(http: impl Into<Endpoint>) -> Result<Self, ClientError> {
        Ok(Self { client: Client::new(http)?, mesh: None })
    }

    /// Its HTTP API.
    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// The mesh of the node, from its `node.json`; `None` for a node that was named by its address.
    pub(crate) fn mesh(&self) -> Option<MeshId> {
        self.mesh
    }
}

/// Every running node in `dir` with its own directory: the node of `dir`, or a testnet's nodes.
fn running_in(dir: &Path) -> io::Result<Vec<(PathBuf, NodeFile)>> {
    let layout = Layout::new(dir);
    let mut dirs = vec![dir.to_path_buf()];
    if layout.nodes().is_dir() {
        // Others put files of their own there (`.DS_Store`): what is no directory is no node.
        let entries = std::fs::read_dir(layout.nodes())?.filter_map(|entry| Some(entry.ok()?.path()));
        dirs.extend(entries.filter(|path| path.is_dir()));
    }
    let mut running = Vec::new();
    for dir in dirs {
        // A killed node leaves its file, so the process is checked.
        if let Some(file) = NodeFile::read(&dir)?
            && file.runs()
        {
            running.push((dir, file));
        }
    }
    Ok(running)
}
