//! Promising weights without showing them.
//!
//! Weights that are public at once can be copied by a validator that never evaluated a miner. So a
//! validator first commits to a hash and shows the weights one epoch later, when a copy is stale.
//!
//! The first commit of an epoch is the only one: with several, a validator could choose the one to reveal after it saw
//! what others revealed.

use nervure_primitives::{Hash, Netuid, NodeId, Uid};
use serde::{Deserialize, Serialize};

use super::{
    Description, Rejection, SignerKey, TransactionKind, WeightsRejection, weight,
    weights::{check_stake, slot_of},
};
use crate::{lane::LaneScope, state::LedgerState, subnet::Commit};

/// Promises the weights behind `hash`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CommitWeights {
    /// The subnet.
    pub netuid: Netuid,
    /// The [commitment](super::commitment).
    pub hash: Hash,
}

/// Weights that are committed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CommitWeightsOutcome {
    /// The subnet.
    pub netuid: Netuid,
    /// The slot of the signer.
    pub uid: Uid,
    /// The only epoch in which they can be revealed.
    pub reveal_in: u64,
}

impl TransactionKind for CommitWeights {
    type Outcome = CommitWeightsOutcome;

    const SIGNER: SignerKey = SignerKey::Node;

    fn weight(&self) -> u64 {
        weight::NEURON
    }

    fn lane(&self) -> Option<LaneScope> {
        Some(LaneScope::Subnet(self.netuid))
    }

    fn apply(&self, state: &mut LedgerState, node: NodeId) -> Result<Self::Outcome, Rejection> {
        let Self { netuid, hash } = *self;
        let (subnet, uid) = slot_of(state, netuid, node)?;
        if !subnet.hyperparameters.commit_reveal {
            return Err(WeightsRejection::NoCommits { netuid }.into());
        }
        check_stake(state, subnet, uid, &node)?;
        let (epoch, height) = (subnet.epoch, state.height);
        let slot = state.subnets.get_mut(&netuid).and_then(|subnet| subnet.neuron_mut(uid));
        let neuron = slot.ok_or(WeightsRejection::NoSuchUid { uid })?;
        if neuron.commits.iter().any(|commit| commit.epoch == epoch) {
            return Err(WeightsRejection::AlreadyCommitted { epoch }.into());
        }
        neuron.commits.push(Commit { hash, node, block: height, epoch });
        neuron.last_update = height;
        Ok(CommitWeightsOutcome { netuid, uid, reveal_in: epoch.saturating_add(1) })
    }

    fn description(outcome: &Self::Outcome) -> Description {
        let CommitWeightsOutcome { netuid, reveal_in, .. } = outcome;
        Description {
            future: format!(
                "commits weights in subnet {netuid}, to be revealed in epoch {reveal_in} and no other"
            ),
            past: format!("weights in subnet {netuid} are committed, to be revealed in epoch {reveal_in}"),
        }
    }

    #[cfg(test)]
    fn sample() -> super::Sample<Self> {
        use super::sample::{NETUID, UID};
        super::Sample {
            call: Self { netuid: NETUID, hash: Hash::of("hash", &[]) },
            call_hash: "e1ff89d02faf9a6e4cc26245c9a1573f275b31f1309c326445ad75e9a8298649",
            outcome: CommitWeightsOutcome { netuid: NETUID, uid: UID, reveal_in: 8 },
            outcome_hash: "7b3309e7ce7be05355d317605ef88d8fc910f76d6030b5fa317c6299bd8e00e7",
            future: "commits weights in subnet 3, to be revealed in epoch 8 and no other",
            past: "weights in subnet 3 are committed, to be revealed in epoch 8",
        }
    }
}
