//! What a validator keeps of one subnet: its averages, and the weights that it has promised. On the disk whenever it
//! changes, so that a restart forgets neither.

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
    score::{Judged, Scoreboard, ScoringRules},
};
use rand::Rng;
use serde::{Deserialize, Serialize};

/// Largest file, in bytes.
const MAX_LEN: usize = 2 << 20;

/// Most promises that are kept: a subnet takes fewer.
const MAX_PROMISES: usize = 16;

/// A subnet's board and promises.
pub(super) struct Desk {
    path: PathBuf,
    board: Scoreboard,
    promises: Vec<Promise>,
}

/// Weights that were committed to, or are about to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Promise {
    /// The subnet's epoch in which they were promised; they are shown in the next.
    pub epoch: u64,
    /// What is to be shown.
    pub weights: RevealWeights,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Saved {
    #[serde(with = "serde_bytes")]
    board: Vec<u8>,
    promises: Vec<Promise>,
}

impl Desk {
    /// With what was kept in `path`, as far as it is still about somebody.
    pub(super) fn open(path: PathBuf, subnet: &Subnet, own: &NodeId) -> Self {
        let Ok(board) = Scoreboard::new(ScoringRules::default()) else {
            unreachable!("the defaults are within their bounds")
        };
        let mut desk = Self { path, board, promises: Vec::new() };
        desk.registered(subnet, own);
        if let Some(saved) = read(&desk.path) {
            desk.promises = saved.promises.into_iter().take(MAX_PROMISES).collect();
            if let Err(error) = desk.board.restore(&saved.board) {
                tracing::warn!(path = %desk.path.display(), %error, "scores are begun anew");
            }
        }
        desk
    }

    /// Who is registered now, this validator itself left out.
    pub(super) fn registered(&mut self, subnet: &Subnet, own: &NodeId) {
        self.board.registered(slots(subnet).map(|(_, neuron)| neuron).filter(|neuron| neuron.node != *own));
    }

    /// What is thought of everybody.
    pub(super) fn board(&self) -> &Scoreboard {
        &self.board
    }

    /// Who can be set a task: whoever serves, and whoever did and is silent now.
    pub(super) fn to_test(&self, serves: impl Fn(&NodeId) -> bool) -> BTreeSet<NodeId> {
        let known = self.board.standings();
        let tested = known.filter(|(neuron, standing)| standing.tasks > 0 || serves(&neuron.node));
        tested.map(|(neuron, _)| neuron.node).collect()
    }

    /// Enters what a task has shown. False when that cannot be kept.
    pub(super) fn record(&mut self, judged: &[Judged]) -> bool {
        let neurons: Vec<Registration> = self.board.standings().map(|(neuron, _)| neuron).collect();
        for judged in judged {
            if let Some(neuron) = neurons.iter().find(|neuron| neuron.node == judged.node) {
                self.board.record(neuron, judged.mark);
            }
        }
        self.save()
    }

    /// The weights that the averages make.
    pub(super) fn weights(&self, subnet: &Subnet) -> Vec<Cell> {
        self.board.weights(slots(subnet))
    }

    /// Promises the weights of now for `epoch`; none when nobody has earned any, or they cannot be kept.
    pub(super) fn promise(&mut self, netuid: Netuid, subnet: &Subnet) -> Option<RevealWeights> {
        let weights = self.weights(subnet);
        if weights.is_empty() {
            return None;
        }
        let salt = Hash::from_bytes(rand::rng().random());
        let version_key = subnet.hyperparameters.version_key;
        let weights = RevealWeights { netuid, weights, salt, version_key };
        self.promises.retain(|promise| promise.epoch.saturating_add(1) >= subnet.epoch);
        self.promises.push(Promise { epoch: subnet.epoch, weights: weights.clone() });
        self.save().then_some(weights)
    }

    /// The promise of `epoch`.
    pub(super) fn promised(&self, epoch: u64) -> Option<&RevealWeights> {
        self.promises.iter().rfind(|promise| promise.epoch == epoch).map(|promise| &promise.weights)
    }

    fn save(&self) -> bool {
        let written = self
            .board
            .save()
            .and_then(|board| cbor::encode(&Saved { board, promises: self.promises.clone() }));
        let written = written.map_err(std::io::Error::other).and_then(|bytes| write(&self.path, &bytes));
        if let Err(error) = &written {
            tracing::error!(path = %self.path.display(), %error, "scores cannot be kept");
        }
        written.is_ok()
    }
}

/// The slots of a subnet and who is in them since when.
fn slots(subnet: &Subnet) -> impl Iterator<Item = (Uid, Registration)> + '_ {
    (0u16..)
        .map(Uid)
        .zip(&subnet.neurons)
        .map(|(uid, neuron)| (uid, Registration { node: neuron.node, block: BlockHeight(neuron.registered) }))
}

fn read(path: &Path) -> Option<Saved> {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return None,
        Err(error) => {
            tracing::warn!(path = %path.display(), %error, "scores cannot be read and are begun anew");
            return None;
        }
    };
    let saved = cbor::decode(&bytes, Limits::new(MAX_LEN));
    saved.inspect_err(|error| tracing::warn!(path = %path.display(), %error, "scores are begun anew")).ok()
}

/// Replaces a file as a whole.
fn write(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let dir = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(dir)?;
    // Weights are a secret until they are revealed.
    durable::replace(path, bytes, Access::Owner)
}
