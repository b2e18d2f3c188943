//! The authenticated state: every record of the ledger is a leaf of a Merkle tree, and its root is what a
//! block commits to.
//!
//! The tree is a Jellyfish Merkle tree (crate `jmt`) over SHA-256. A leaf's place is the hash of the
//! record's [`Key`], its value the record's canonical CBOR, which names the key again: a value cannot be
//! taken for that of another key. A client that holds only a root can therefore check one account, one
//! neuron, one subnet, or that there is none ([`StateProof`]).
//!
//! Every block makes a version of the tree, numbered from 0. What a block changed is found by comparing the
//! states before and after it, which share everything that did not change ([`changes`]).
//!
//! Hazard: a proof is as good as the root it is checked against. A root comes from a certified header.

mod change;
mod fact;
mod hasher;
mod key_text;
mod memory;
mod proof;
mod rebuild;
mod record;
mod update;

use std::panic::{self, AssertUnwindSafe};

use jmt::{JellyfishMerkleTree, KeyHash, storage::TreeReader, storage::TreeUpdateBatch};
use nervure_primitives::Hash;

pub use change::{Changes, changes};
pub use fact::{Fact, MAX_FACT_LEN};
pub(crate) use hasher::TreeHasher;
pub use key_text::ParseKeyError;
pub use memory::MemoryTree;
pub use proof::{MAX_PROOF_LEN, ProofError, StateProof};
pub use rebuild::RebuildError;
pub use record::{Chain, Key, MAX_RECORD_LEN, Record};
pub use update::update;

/// Why a tree could not be read or changed: what is stored is not a tree.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the state tree is damaged at version {version}: {why}")]
pub struct TreeError {
    /// The version that was read or written.
    pub version: u64,
    /// What is wrong.
    pub why: String,
}

impl TreeError {
    fn new(version: u64, why: impl ToString) -> Self {
        Self { version, why: why.to_string() }
    }
}

/// What a block does to the tree.
#[derive(Clone, Debug)]
pub struct TreeUpdate {
    /// The root after it.
    pub root: Hash,
    /// The nodes and values that are new, and the nodes that are stale from now on.
    pub batch: TreeUpdateBatch,
}

/// The state tree of the last block.
pub trait StateTree {
    /// What the tree is after `changes`, computed and not yet written anywhere.
    ///
    /// # Errors
    /// When the tree is damaged.
    fn update(&self, changes: &Changes) -> Result<TreeUpdate, TreeError>;

    /// The record of `key`, or that there is none, with the proof of it.
    ///
    /// # Errors
    /// When the tree is damaged, or nothing was ever written.
    fn prove(&self, key: &Key) -> Result<(Option<Record>, StateProof), TreeError>;
}

/// The record of `key` in a `version`, or that there is none, with the proof of it.
///
/// # Errors
/// When `tree` does not hold that version, or what it holds is damaged.
pub fn prove(
    tree: &impl TreeReader,
    version: u64,
    key: &Key,
) -> Result<(Option<Record>, StateProof), TreeError> {
    let reader = JellyfishMerkleTree::<_, TreeHasher>::new(tree);
    let (value, proof) = guarded(version, || reader.get_with_proof(place(key), version))?;
    // The proof is not checked here: the reader of the tree is our own disk. A client checks it.
    let record = value.map(|bytes| Record::decode(&bytes)).transpose();
    Ok((record.map_err(|error| TreeError::new(version, error))?, StateProof::new(proof)))
}

/// Runs an operation of the tree's library. It panics on some errors of the reader that it is given: a
/// damaged node has to be an error all the same.
fn guarded<T>(version: u64, operation: impl FnOnce() -> anyhow::Result<T>) -> Result<T, TreeError> {
    match panic::catch_unwind(AssertUnwindSafe(operation)) {
        Ok(result) => result.map_err(|error| TreeError::new(version, format!("{error:#}"))),
        Err(_) => Err(TreeError::new(version, "a node cannot be read")),
    }
}

/// Where the record of `key` is in the tree.
fn place(key: &Key) -> KeyHash {
    KeyHash(*key.place().as_bytes())
}
