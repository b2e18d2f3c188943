//! The file that keeps committed weights until they are revealed.

use std::{fs, path::Path};

use anyhow::Context;
use nervure_ledger::transaction::RevealWeights;
use nervure_primitives::{
    NodeId,
    durable::{self, Access},
};
use serde::{Deserialize, Serialize};

/// Largest file that is read, in bytes: 256 weights take 8 KiB.
const MAX_LEN: u64 = 64 * 1024;

/// Committed weights.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Promise {
    /// The node that committed to them.
    pub(super) node: NodeId,
    /// The epoch in which they can be revealed.
    pub(super) reveal_in: u64,
    /// The weights and their salt.
    pub(super) weights: RevealWeights,
}

impl Promise {
    /// Writes it into a new file that only its owner can read: until they are revealed, weights are a secret.
    pub(super) fn create(&self, path: &Path) -> anyhow::Result<()> {
        let text = serde_json::to_vec_pretty(self)?;
        durable::create(path, &text, Access::Owner)
            .with_context(|| format!("cannot keep the weights in {}", path.display()))
    }

    /// Writes it again.
    pub(super) fn replace(&self, path: &Path) -> anyhow::Result<()> {
        durable::replace(path, &serde_json::to_vec_pretty(self)?, Access::Owner)
            .with_context(|| format!("cannot keep the weights in {}", path.display()))
    }

    /// Reads it.
    pub(super) fn read(path: &Path) -> anyhow::Result<Self> {
        let place = || format!("cannot read committed weights from {}", path.display());
        let length = fs::metadata(path).with_context(place)?.len();
        anyhow::ensure!(length <= MAX_LEN, "{} is larger than {MAX_LEN} bytes", path.display());
        serde_json::from_slice(&fs::read(path).with_context(place)?).with_context(place)
    }
}
