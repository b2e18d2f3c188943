//! Registering the key that a node signs checkpoints with.
//!
//! The key has to agree, with its own signature over the node's key: otherwise any node could register the address
//! of another node's key, whose signatures would then count for the wrong node or for none. It can be replaced once
//! between two elections, as it counts from the next one on.

use nervure_anchor::{AnchorAddress, ProofOfPossession};
use nervure_primitives::{BlockHeight, NodeId};
use serde::{Deserialize, Serialize};

use super::{Description, Rejection, SignerKey, TransactionKind, weight};
use crate::{anchors::RegisteredKey, lane::LaneScope, state::LedgerState};

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
            return Err(Rejection::AnchorKeyTaken { address });
        }
        if let Some(now) = state.anchors.key_of(&node) {
            let from = now.block.saturating_add(state.params.election_interval);
            if state.height < from {
                return Err(Rejection::AnchorKeyTooSoon { from: BlockHeight(from) });
            }
        }
        // Last, because it is the only check that costs something.
        let proof = possession.verify(&address, &node, &state.mesh);
        proof.map_err(|_| Rejection::AnchorKeyProof { address })?;
        match state.anchors.insert(node, RegisteredKey { address, block: state.height }) {
            true => Ok(RegisterAnchorKeyOutcome { node, address }),
            false => Err(Rejection::AnchorKeyTaken { address }),
        }
    }

    fn description(outcome: &Self::Outcome) -> Description {
        let RegisterAnchorKeyOutcome { node, address } = outcome;
        Description {
            future: format!("registers {address} as the anchor key of {node}, from the next election on"),
            past: format!("{node} signs checkpoints with the anchor key {address} from the next election on"),
        }
    }
}
