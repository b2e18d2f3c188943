//! Showing promised weights, from when on they count.
//!
//! The commitment covers the committer's key, so that a copied one is worthless to the copier.

use nervure_consensus::yuma::Cell;
use nervure_primitives::{Hash, MeshId, Netuid, NodeId, Uid};
use serde::{Deserialize, Serialize};

use super::{
    Description, Rejection, SignerKey, TransactionKind, WeightsRejection, weight,
    weights::{Submitted, slot_of},
};
use crate::{
    lane::LaneScope,
    state::LedgerState,
    subnet::{Commit, Subnet},
};

/// Shows the weights of a commit of the epoch before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RevealWeights {
    /// The subnet.
    pub netuid: Netuid,
    /// Uids and their weights, in any order and scale.
    pub weights: Vec<Cell>,
    /// What made the commitment impossible to guess.
    pub salt: Hash,
    /// The version of the validator.
    pub version_key: u64,
}

/// What a node commits to before it reveals `weights`.
pub fn commitment(mesh: &MeshId, node: &NodeId, weights: &RevealWeights) -> Hash {
    let cells: Vec<u8> = weights
        .weights
        .iter()
        .flat_map(|(uid, weight)| [uid.0.to_be_bytes(), weight.to_be_bytes()])
        .flatten()
        .collect();
    Hash::of(
        "nervure/weights/1",
        &[
            mesh.as_bytes(),
            &weights.netuid.0.to_be_bytes(),
            node.as_bytes(),
            &cells,
            weights.salt.as_bytes(),
            &weights.version_key.to_be_bytes(),
        ],
    )
}

/// Weights that count from now on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RevealWeightsOutcome {
    /// The subnet.
    pub netuid: Netuid,
    /// The slot of the signer.
    pub uid: Uid,
}

impl TransactionKind for RevealWeights {
    type Outcome = RevealWeightsOutcome;

    const SIGNER: SignerKey = SignerKey::Node;

    fn weight(&self) -> u64 {
        weight::NEURON.saturating_add(weight::each(weight::CELL, self.weights.len()))
    }

    fn lane(&self) -> Option<LaneScope> {
        Some(LaneScope::Subnet(self.netuid))
    }

    fn apply(&self, state: &mut LedgerState, node: NodeId) -> Result<Self::Outcome, Rejection> {
        let netuid = self.netuid;
        let (subnet, uid) = slot_of(state, netuid, node)?;
        let submitted = Submitted { weights: &self.weights, version_key: self.version_key, plain: false };
        submitted.check(state, subnet, uid)?;
        let commit = self.due(&state.mesh, subnet, uid)?;
        // The block of the commit, not of the reveal: a neuron that registered in between was not
        // evaluated.
        let row = submitted.row(subnet, commit.block);
        if let Some(neuron) = state.subnets.get_mut(&netuid).and_then(|subnet| subnet.neuron_mut(uid)) {
            // Each commit can be revealed once.
            neuron.commits.retain(|other| *other != commit);
            neuron.weights = row;
        }
        Ok(RevealWeightsOutcome { netuid, uid })
    }

    fn description(outcome: &Self::Outcome) -> Description {
        let RevealWeightsOutcome { netuid, .. } = outcome;
        Description {
            future: format!("reveals weights in subnet {netuid}"),
            past: format!("the weights in subnet {netuid} count from now on"),
        }
    }

    #[cfg(test)]
    fn sample() -> super::Sample<Self> {
        use super::sample::{NETUID, UID, row};
        super::Sample {
            call: Self { netuid: NETUID, weights: row(), salt: Hash::of("salt", &[]), version_key: 2 },
            call_hash: "f44ad4f9c1a802e874f60d7d014d867760d220966ca4e9d79db560c99ce5664a",
            outcome: RevealWeightsOutcome { netuid: NETUID, uid: UID },
            outcome_hash: "f2a9f92465c055b3f0c0f7e95aa52f0d6d5d5535d68b9e914e570dbe6dcb3993",
            future: "reveals weights in subnet 3",
            past: "the weights in subnet 3 count from now on",
        }
    }
}

impl RevealWeights {
    /// The commit of `uid` to these weights, if this is its epoch.
    fn due(&self, mesh: &MeshId, subnet: &Subnet, uid: Uid) -> Result<Commit, Rejection> {
        // With the key of the committer and not one of the message: a commitment that was copied hashes differently.
        let made = |commit: &&Commit| commitment(mesh, &commit.node, self) == commit.hash;
        let commits = || subnet.neuron(uid).into_iter().flat_map(|neuron| &neuron.commits).filter(made);
        let reveal_in = |commit: &Commit| commit.epoch.saturating_add(1);
        if let Some(commit) = commits().find(|commit| reveal_in(commit) == subnet.epoch) {
            return Ok(commit.clone());
        }
        match commits().next() {
            Some(commit) => {
                Err(WeightsRejection::RevealTime { reveal_in: reveal_in(commit), now: subnet.epoch }.into())
            }
            None => Err(WeightsRejection::NoSuchCommit.into()),
        }
    }
}
