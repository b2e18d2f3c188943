//! The file that keeps committed weights until they are revealed.

use std::{fs, path::Path};

use anyhow::Context;
use nervure_ledger::transaction::RevealWeights;
use nervure_primitives::{
    NodeId,
    durable::{self, Access},
};
use serde::{Deserialize, Serialize};

/// Largest file that is read: 256 weights take 8 KiB.
const MAX_FILE_BYTES: u64 = 64 * 1024;

/// Weights that a node committed and has not yet revealed.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WeightCommit {
    /// The node that committed them.
    pub(super) node: NodeId,
    /// The epoch in which they can be revealed.
    pub(super) reveal_in: u64,
    /// The weights and their salt.
    pub(super) weights: RevealWeights,
}

impl WeightCommit {
    /// Writes a new file that only its owner can read: weights are secret until they are revealed.
    pub(super) fn create(&self, path: &Path) -> anyhow::Result<()> {
        let text = serde_json::to_vec_pretty(self)?;
        durable::create(path, &text, Access::Owner)
            .with_context(|| format!("cannot keep the weights in {}", path.display()))
    }

    /// Replaces the file.
    pub(super) fn replace(&self, path: &Path) -> anyhow::Result<()> {
        durable::replace(path, &serde_json::to_vec_pretty(self)?, Access::Owner)
            .with_context(|| format!("cannot keep the weights in {}", path.display()))
    }

    /// Reads the file.
    pub(super) fn read(path: &Path) -> anyhow::Result<Self> {
        let place = || format!("cannot read committed weights from {}", path.display());
        let length = fs::metadata(path).with_context(place)?.len();
        anyhow::ensure!(length <= MAX_FILE_BYTES, "{} is larger than {MAX_FILE_BYTES} bytes", path.display());
        serde_json::from_slice(&fs::read(path).with_context(place)?).with_context(place)
    }
}
