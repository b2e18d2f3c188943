//! Registering the key that a node signs checkpoints with.
//!
//! The key has to agree, with its own signature over the node's key: otherwise any node could register the address
//! of another node's key, whose signatures would then count for the wrong node or for none. It can be replaced once
//! between two elections, as it counts from the next one on.

use nervure_anchor::{AnchorAddress, ProofOfPossession};
use nervure_primitives::{Amount, BlockHeight, NodeId};
use serde::{Deserialize, Serialize};

use super::{Description, NodeRejection, Rejection, SignerKey, TransactionKind, kind::deposited, weight};
use crate::{anchors::RegisteredKey, deposits::RecordKind, lane::LaneScope, state::LedgerState};

/// Makes an anchor key that of the signing node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegisterAnchorKey {
    /// The address of the key.
    pub address: AnchorAddress,
    /// The key's word that it belongs to the signing node.
    pub possession: ProofOfPossession,
}

/// A node that has an anchor key, from the next election on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RegisterAnchorKeyOutcome {
    /// The node.
    pub node: NodeId,
    /// The address of the key.
    pub address: AnchorAddress,
    /// What is deposited for it by the node's owner.
    #[serde(default)]
    pub deposit: Amount,
}

impl TransactionKind for RegisterAnchorKey {
    type Outcome = RegisterAnchorKeyOutcome;

    const SIGNER: SignerKey = SignerKey::Node;

    fn weight(&self) -> u64 {
        weight::REGISTER_ANCHOR_KEY
    }

    fn lane(&self) -> Option<LaneScope> {
        Some(LaneScope::Election)
    }

    fn apply(&self, state: &mut LedgerState, node: NodeId) -> Result<Self::Outcome, Rejection> {
        let Self { address, possession } = *self;
        if state.anchors.holder_of(&address).is_some() {
            return Err(NodeRejection::AnchorKeyTaken { address }.into());
        }
        if let Some(now) = state.anchors.key_of(&node) {
            let from = now.block.saturating_add(state.params.election_interval);
            if state.height < from {
                return Err(NodeRejection::AnchorKeyTooSoon { from: BlockHeight(from) }.into());
            }
        }
        // Last, because it is the only check that costs something.
        let proof = possession.verify(&address, &node, &state.mesh);
        proof.map_err(|_| NodeRejection::AnchorKeyProof { address })?;
        let owner = state.nodes.get(&node).ok_or(NodeRejection::NoSuchNode { node })?.owner;
        let former = state.anchors.key_of(&node).map_or(Amount::ZERO, |key| key.deposit);
        let deposit = Amount::from_base_units(state.params.deposit(RecordKind::AnchorKey));
        state.replace_deposit(&owner, former, deposit)?;
        match state.anchors.insert(node, RegisteredKey { address, block: state.height, deposit }) {
            true => Ok(RegisterAnchorKeyOutcome { node, address, deposit }),
            // Excluded by the first check.
            false => Err(NodeRejection::AnchorKeyTaken { address }.into()),
        }
    }

    fn description(outcome: &Self::Outcome) -> Description {
        let RegisterAnchorKeyOutcome { node, address, deposit } = outcome;
        let deposited = deposited(*deposit, "when the node is deregistered or gets another key");
        Description {
            future: format!(
                "registers {address} as the anchor key of {node}, from the next election on{deposited}"
            ),
            past: format!(
                "{node} signs checkpoints with the anchor key {address} from the next election on{deposited}"
            ),
        }
    }

    #[cfg(test)]
    fn sample() -> super::Sample<Self> {
        use super::sample::{AMOUNT, anchor_key, node, possession};
        super::Sample {
            call: Self { address: anchor_key().address(), possession: possession() },
            call_hash: "c3077b64c8dc08acc3d26fe9f8d20b27f6d4339a9e115f39bb56ef3617499a82",
            outcome: RegisterAnchorKeyOutcome {
                node: node(),
                address: anchor_key().address(),
                deposit: AMOUNT,
            },
            outcome_hash: "648ac9bc23720a32565acaf4e8d5b9057fb8a698cee62b07f6dfffa42ee5d061",
            future: "registers ADDRESS as the anchor key of NODE, from the next election on; 1.5 tokens are deposited and come back when the node is deregistered or gets another key",
            past: "NODE signs checkpoints with the anchor key ADDRESS from the next election on; 1.5 tokens are deposited and come back when the node is deregistered or gets another key",
        }
    }
}
