//! A validator's state for one subnet: its moving averages, and the weights that it has committed. Every change is on
//! the disk before it is used, so that a restart loses neither.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use nervure_consensus::yuma::Cell;
use nervure_ledger::{subnet::Subnet, transaction::RevealWeights};
use nervure_primitives::{
    BlockHeight, Hash, Netuid, NodeId, Uid,
    cbor::{self, Limits},
    durable::{self, Access},
};
use nervure_subnet::{
    Registration,
    score::{MinerResult, MovingAverageTable, ScoringRules},
};
use rand::Rng;
use serde::{Deserialize, Serialize};

/// Largest file, in bytes.
const MAX_STORE_BYTES: usize = 2 << 20;

/// Most commits that are stored: a subnet accepts fewer.
const MAX_WEIGHT_COMMITS: usize = 16;

/// A subnet's scoreboard and weight commits.
pub(super) struct ValidatorStore {
    path: PathBuf,
    board: MovingAverageTable,
    commits: Vec<WeightCommit>,
}

/// Weights that are committed, or about to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WeightCommit {
    /// The subnet's epoch of the commit; the weights are revealed in the next.
    pub epoch: u64,
    /// The weights to reveal.
    pub weights: RevealWeights,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredState {
    #[serde(with = "serde_bytes")]
    board: Vec<u8>,
    commits: Vec<WeightCommit>,
}

impl ValidatorStore {
    /// Opens the state in `path`; scores of neurons that are no longer registered are dropped.
    pub(super) fn open(path: PathBuf, subnet: &Subnet, own: &NodeId) -> Self {
        let Ok(board) = MovingAverageTable::new(ScoringRules::default()) else {
            unreachable!("the defaults are within their bounds")
        };
        let mut store = Self { path, board, commits: Vec::new() };
        // Before the restore, which fills in only neurons that are in the table.
        store.registered(subnet, own);
        if let Some(saved) = read(&store.path) {
            store.commits = saved.commits.into_iter().take(MAX_WEIGHT_COMMITS).collect();
            if let Err(error) = store.board.restore(&saved.board) {
                tracing::warn!(path = %store.path.display(), %error, "scores start from zero");
            }
        }
        store
    }

    /// Updates the registered neurons, without this validator itself.
    pub(super) fn registered(&mut self, subnet: &Subnet, own: &NodeId) {
        self.board
            .set_registered(slots(subnet).map(|(_, neuron)| neuron).filter(|neuron| neuron.node != *own));
    }

    /// The moving averages.
    pub(super) fn board(&self) -> &MovingAverageTable {
        &self.board
    }

    /// The nodes to test: those that serve, and those that were tested before and serve no longer.
    pub(super) fn to_test(&self, serves: impl Fn(&NodeId) -> bool) -> BTreeSet<NodeId> {
        let known = self.board.iter();
        let tested = known.filter(|(neuron, averages)| averages.tasks > 0 || serves(&neuron.node));
        tested.map(|(neuron, _)| neuron.node).collect()
    }

    /// Records task results. False when they cannot be stored.
    pub(super) fn record(&mut self, results: &[MinerResult]) -> bool {
        let neurons: Vec<Registration> = self.board.iter().map(|(neuron, _)| neuron).collect();
        for one in results {
            if let Some(neuron) = neurons.iter().find(|neuron| neuron.node == one.node) {
                self.board.record(neuron, one.result);
            }
        }
        self.save()
    }

    /// The weights computed from the moving averages.
    pub(super) fn weights(&self, subnet: &Subnet) -> Vec<Cell> {
        self.board.weights(slots(subnet))
    }

    /// Commits to the current weights for `epoch`; none when no neuron has any, or they cannot be stored.
    pub(super) fn commit(&mut self, netuid: Netuid, subnet: &Subnet) -> Option<RevealWeights> {
        let weights = self.weights(subnet);
        if weights.is_empty() {
            return None;
        }
        let salt = Hash::from_bytes(rand::rng().random());
        let version_key = subnet.hyperparameters.version_key;
        let weights = RevealWeights { netuid, weights, salt, version_key };
        self.commits.retain(|commit| commit.epoch.saturating_add(1) >= subnet.epoch);
        self.commits.push(WeightCommit { epoch: subnet.epoch, weights: weights.clone() });
        self.save().then_some(weights)
    }

    /// The weights committed in `epoch`.
    pub(super) fn committed(&self, epoch: u64) -> Option<&RevealWeights> {
        self.commits.iter().rfind(|commit| commit.epoch == epoch).map(|commit| &commit.weights)
    }

    fn save(&self) -> bool {
        let written = self
            .board
            .save()
            .and_then(|board| cbor::encode(&StoredState { board, commits: self.commits.clone() }));
        let written = written.map_err(std::io::Error::other).and_then(|bytes| write(&self.path, &bytes));
        if let Err(error) = &written {
            tracing::error!(path = %self.path.display(), %error, "scores cannot be stored");
        }
        written.is_ok()
    }
}

/// The slots of a subnet with their registrations.
fn slots(subnet: &Subnet) -> impl Iterator<Item = (Uid, Registration)> + '_ {
    (0u16..)
        .map(Uid)
        .zip(&subnet.neurons)
        .map(|(uid, neuron)| (uid, Registration { node: neuron.node, block: BlockHeight(neuron.registered) }))
}

fn read(path: &Path) -> Option<StoredState> {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return None,
        Err(error) => {
            tracing::warn!(path = %path.display(), %error, "scores cannot be read and start from zero");
            return None;
        }
    };
    let saved = cbor::decode(&bytes, Limits::new(MAX_STORE_BYTES));
    saved.inspect_err(|error| tracing::warn!(path = %path.display(), %error, "scores start from zero")).ok()
}

/// Replaces a file as a whole.
fn write(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let dir = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(dir)?;
    // Weights are a secret until they are revealed.
    durable::replace(path, bytes, Access::Owner)
}
