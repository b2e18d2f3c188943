//! The directory of a testnet, and the names of all files in it.
//!
//! ```text
//! DIR/mesh.toml              the mesh spec that every node joins
//! DIR/testnet.json           what runs: nodes, pids, phases (see `State`)
//! DIR/lock                   held by the `up` that owns the run
//! DIR/edit.lock              held while testnet.json is changed
//! DIR/alive                  a FIFO; nodes stop when its only writer, the owner, is gone
//! DIR/nodes/NAME/key.pem     the node's key, 0600 in a 0700 directory
//! DIR/nodes/NAME/node.log    its standard output and standard error
//! DIR/nodes/chain/           the log and the state of the development chain, where there is one
//! DIR/nodes/mock-server/     the log of the mock model server, where there is one
//! DIR/nodes/NAME/node.json   written by the node itself when it is up (see `NodeFile`)
//! ```

use std::path::{Path, PathBuf};

/// Name of the key that holds a testnet's tokens, in its directory.
pub const OWNER_KEY: &str = "owner.pem";

/// The directory of one testnet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    dir: PathBuf,
}

impl Layout {
    /// The layout under `dir`, which need not exist.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into() }
    }

    /// The directory itself.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The mesh spec.
    pub fn mesh(&self) -> PathBuf {
        self.dir.join("mesh.toml")
    }

    /// The key that holds the testnet's tokens and owns its subnets.
    pub fn owner_key(&self) -> PathBuf {
        self.dir.join(OWNER_KEY)
    }

    /// The state file; a directory that has one is a testnet's.
    pub fn state(&self) -> PathBuf {
        self.dir.join("testnet.json")
    }

    /// All nodes' directories.
    pub fn nodes(&self) -> PathBuf {
        self.dir.join("nodes")
    }

    /// The files of the node called `name`.
    pub fn node(&self, name: &str) -> NodeLayout {
        NodeLayout { dir: self.nodes().join(name) }
    }

    /// The owner's lock.
    pub(crate) fn lock(&self) -> PathBuf {
        self.dir.join("lock")
    }

    /// The lock for changes of the state.
    pub(crate) fn edit_lock(&self) -> PathBuf {
        self.dir.join("edit.lock")
    }

    /// The FIFO that reaches its end of file when the owner has ended.
    pub(crate) fn alive(&self) -> PathBuf {
        self.dir.join("alive")
    }
}

/// The directory of one node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeLayout {
    dir: PathBuf,
}

impl NodeLayout {
    /// The directory itself, which is also the node's `--dir`.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The node's key.
    pub fn key(&self) -> PathBuf {
        self.dir.join("key.pem")
    }

    /// The key that it signs anchored checkpoints with, if it is a validator.
    pub fn anchor_key(&self) -> PathBuf {
        self.dir.join("anchor.key")
    }

    /// Its log.
    pub fn log(&self) -> PathBuf {
        self.dir.join("node.log")
    }

    /// The file that it writes when it is up.
    pub fn file(&self) -> PathBuf {
        self.dir.join(crate::NodeFile::NAME)
    }
}
