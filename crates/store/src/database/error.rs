//! What can be wrong with a store.

use std::path::PathBuf;

use nervure_primitives::{BlockHeight, Hash, MeshId};
use redb::{CommitError, DatabaseError, StorageError, TableError, TransactionError};

use nervure_ledger::{
    chain::StartError,
    tree::{RebuildError, TreeError},
};

/// Why a store cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Another process, or another store of this one, has the file open.
    #[error("{path} is in use by another process: a chain has one writer")]
    Locked {
        /// The file.
        path: PathBuf,
    },
    /// There is a chain where one was to begin.
    #[error("{path} has a chain already")]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// A layout that this version does not know.
    #[error("{path} has format {found}, but this version reads format {known}")]
    Format {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u64,
        /// The format that is read.
        known: u64,
    },
    /// The chain of another mesh.
    #[error("{path} is the chain of mesh {found}, not of mesh {expected}")]
    OtherMesh {
        /// The file.
        path: PathBuf,
        /// Whose it is.
        found: MeshId,
        /// Whose it was to be.
        expected: MeshId,
    },
    /// Something in the file is not what was written.
    #[error("the store is damaged: {what}: {why}")]
    Damaged {
        /// Which table and key, or which part of the file.
        what: String,
        /// What is wrong with it.
        why: String,
    },
    /// Records that do not add up to the root of their header.
    #[error("the state has root {found}, but its header says {expected}")]
    Root {
        /// What the header says.
        expected: Hash,
        /// What the records make.
        found: Hash,
    },
    /// Records that do not make a valid state.
    #[error("the stored records are not a valid state: {0}")]
    Rebuild(#[from] RebuildError),
    /// The state of a block that was pruned, or is not there yet.
    #[error("the state of block {height} is not kept: blocks {oldest} to {newest} are")]
    NotKept {
        /// The block.
        height: BlockHeight,
        /// The oldest whose state is kept.
        oldest: BlockHeight,
        /// The last block.
        newest: BlockHeight,
    },
    /// A block that does not follow the last one in the file.
    #[error("block {given} cannot be written: block {expected} is next")]
    Order {
        /// The next block.
        expected: BlockHeight,
        /// The given one.
        given: BlockHeight,
    },
    /// The spec has no valid first block.
    #[error(transparent)]
    Start(#[from] StartError),
    /// A state tree that is damaged.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// The file cannot be read or written: no space, no permission, a failing disk.
    #[error("the file of the chain: {0}")]
    Io(#[from] std::io::Error),
}

impl StoreError {
    /// What was found damaged, and how.
    pub(super) fn damaged(what: impl ToString, why: impl ToString) -> Self {
        Self::Damaged { what: what.to_string(), why: why.to_string() }
    }

    /// An error on opening `path`.
    pub(super) fn opening(path: &std::path::Path, error: DatabaseError) -> Self {
        match error {
            DatabaseError::DatabaseAlreadyOpen => Self::Locked { path: path.to_owned() },
            DatabaseError::Storage(error) => error.into(),
            other => Self::damaged(path.display(), other),
        }
    }
}

impl From<StorageError> for StoreError {
    fn from(error: StorageError) -> Self {
        match error {
            StorageError::Io(error) => Self::Io(error),
            StorageError::PreviousIo => Self::Io(std::io::Error::other("it failed before: start again")),
            other => Self::damaged("the file", other),
        }
    }
}

impl From<TransactionError> for StoreError {
    fn from(error: TransactionError) -> Self {
        match error {
            TransactionError::Storage(error) => error.into(),
            other => Self::damaged("the file", other),
        }
    }
}

impl From<TableError> for StoreError {
    fn from(error: TableError) -> Self {
        match error {
            TableError::Storage(error) => error.into(),
            other => Self::damaged("a table", other),
        }
    }
}

impl From<CommitError> for StoreError {
    fn from(error: CommitError) -> Self {
        match error {
            CommitError::Storage(error) => error.into(),
            other => Self::damaged("the file", other),
        }
    }
}
