//! A validator's state for one subnet: its moving averages, and the weights that it has committed. Every change is on
//! the disk before it is used, so that a restart loses neither.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use nervure_consensus::yuma::Cell;
use nervure_ledger::{subnet::Subnet, transaction::RevealWeights};
use nervure_primitives::{
    BlockHeight, Hash, Netuid, NodeId, Uid,
    cbor::{self, Limits},
    durable::{self, Access},
};
use nervure_protocol::{ExpertRecord, LiveScores, Score};
use nervure_subnet::{
    Dice, Registration, ScoredExpert,
    score::{
        CopyTable, MinerResult, MovingAverageTable, ScorePublication, ScoringRules, TaskResult,
        choose_experts,
    },
};
use rand::Rng;
use serde::{Deserialize, Serialize};

use super::weights;
use crate::runtime::{audit::FailedExpert, clock};

/// Largest file, in bytes.
const MAX_STORE_BYTES: usize = 4 << 20;

/// Most commits that are stored: a subnet accepts fewer.
const MAX_WEIGHT_COMMITS: usize = 16;

/// A subnet's scoreboard and weight commits.
pub(super) struct ValidatorStore {
    path: PathBuf,
    board: MovingAverageTable,
    copies: CopyTable,
    commits: Vec<WeightCommit>,
    publication: ScorePublication,
}

/// An expert that gets a task; without a record it is not asked, and has given no answer.
#[derive(Clone, Debug)]
pub(super) struct TestedExpert {
    pub expert: ScoredExpert,
    pub record: Option<ExpertRecord>,
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
    /// Absent in files of earlier versions.
    #[serde(default)]
    publication: ScorePublication,
}

impl ValidatorStore {
    /// Opens the state in `path`; scores of neurons that are no longer registered are dropped.
    pub(super) fn open(path: PathBuf, subnet: &Subnet, own: &NodeId) -> Self {
        let Ok(board) = MovingAverageTable::new(ScoringRules::default()) else {
            unreachable!("the defaults are within their bounds")
        };
        let mut store = Self {
            path,
            board,
            copies: CopyTable::default(),
            commits: Vec::new(),
            publication: ScorePublication::default(),
        };
        // Before the restore, which fills in only neurons that are in the table.
        store.registered(subnet, own);
        if let Some(saved) = read(&store.path) {
            store.commits = saved.commits.into_iter().take(MAX_WEIGHT_COMMITS).collect();
            if saved.publication.is_valid() {
                store.publication = saved.publication;
            }
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
        self.copies.retain(|node| subnet.uid_of(node).is_some());
    }

    /// Follows the subnet's epochs, after block `height`: when weights are due, their averages are kept, and they are
    /// published once the next epoch has begun.
    pub(super) fn follow_epoch(&mut self, subnet: &Subnet, height: u64) {
        let began = self.publication.epoch_began(subnet.epoch);
        let made =
            weights::are_due(subnet, height) && self.publication.weights_made(subnet.epoch, &self.board);
        if began || made {
            self.save();
        }
    }

    /// The live scores that may be published now.
    pub(super) fn live_scores(&self, own: (NodeId, Netuid)) -> LiveScores {
        self.publication.live_scores(&self.board, own, clock::now())
    }

    /// The experts to test in a round: of each neuron that serves here those that are drawn, and all that were tested
    /// before and are not advertised any longer, without a record.
    pub(super) fn to_test(&self, records: Vec<ExpertRecord>, dice: &mut Dice) -> Vec<TestedExpert> {
        let advertised = self.advertised(records);
        let averages = |expert: &ScoredExpert| self.board.expert_averages(expert).unwrap_or_default();
        let chosen = choose_experts(advertised.keys().map(|expert| (*expert, averages(expert))), dice);
        let gone =
            self.board.iter().map(|(expert, _)| expert).filter(|expert| !advertised.contains_key(expert));
        let gone: Vec<_> = gone.map(|expert| TestedExpert { expert, record: None }).collect();
        let with_record = |expert: ScoredExpert| {
            let record = advertised.get(&expert).cloned();
            TestedExpert { expert, record }
        };
        chosen.into_iter().map(with_record).chain(gone).collect()
    }

    /// The tasks that an expert has been set, if they are too few for it to count in full.
    pub(super) fn tasks_of_new(&self, expert: &ScoredExpert) -> Option<u32> {
        let tasks = self.board.expert_averages(expert).map_or(0, |averages| averages.tasks);
        (tasks < u32::from(ScoringRules::default().ramp)).then_some(tasks)
    }

    /// Records task results; `records` are what is advertised now. False when they cannot be stored.
    pub(super) fn record(&mut self, mut results: Vec<MinerResult>, records: Vec<ExpertRecord>) -> bool {
        self.copies.settle(&mut results);
        for one in &results {
            self.board.record(&one.expert, one.result);
        }
        let advertised = self.advertised(records);
        self.board.drop_ended(|expert| advertised.contains_key(expert));
        self.save()
    }

    /// Records a task result of zero for experts in which an audit found a mismatch. One that is not advertised any longer
    /// has lost its score already.
    pub(super) fn fail(&mut self, failed: &[FailedExpert], records: Vec<ExpertRecord>) -> bool {
        let is_failed = |record: &ExpertRecord| {
            failed.iter().any(|one| one.miner == record.node && one.expert == record.expert)
        };
        for (expert, record) in self.advertised(records) {
            if is_failed(&record) {
                self.board.record(&expert, TaskResult::from(Score::ZERO));
            }
        }
        self.save()
    }

    /// The experts that registered neurons advertise. Records of others are left out.
    fn advertised(&self, records: Vec<ExpertRecord>) -> BTreeMap<ScoredExpert, ExpertRecord> {
        let blocks: BTreeMap<NodeId, BlockHeight> =
            self.board.registered().map(|neuron| (neuron.node, neuron.block)).collect();
        let of_record = |record: ExpertRecord| {
            let block = blocks.get(&record.node)?;
            Some((ScoredExpert::of(&record, *block), record))
        };
        records.into_iter().filter_map(of_record).collect()
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
        let state = |board| StoredState {
            board,
            commits: self.commits.clone(),
            publication: self.publication.clone(),
        };
        let written = self.board.save().and_then(|board| cbor::encode(&state(board)));
        let written = written.map_err(std::io::Error::other).and_then(|bytes| write(&self.path, &bytes));
        if let Err(error) = &written {
            tracing::error!(path = %self.path.display(), %error, "scores cannot be stored");
        }
        written.is_ok()
    }
}

/// The slots of a subnet with their registrations.
fn slots(subnet: &Subnet) -> impl Iterator<Item = (Uid, Registration)> + '_ {
    subnet
        .occupied()
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

#[cfg(test)]
mod tests;
