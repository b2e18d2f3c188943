//! Opting out of making blocks.

use nervure_primitives::{BlockHeight, NodeId};
use serde::{Deserialize, Serialize};

use super::{Description, Rejection, SignerKey, TransactionKind, swap_key::owned, weight};
use crate::state::LedgerState;

/// `node` is not elected any more. Until the next election it stays in office.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeaveValidators {
    /// A node of the signer that joined.
    pub node: NodeId,
}

/// A node that left the validators.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LeaveValidatorsOutcome {
    /// The node.
    pub node: NodeId,
    /// The last block that it has to sign if it is in office.
    pub last: BlockHeight,
}

impl TransactionKind for LeaveValidators {
    type Outcome = LeaveValidatorsOutcome;

    const SIGNER: SignerKey = SignerKey::Owner;

    fn weight(&self) -> u64 {
        weight::LEAVE_VALIDATORS
    }

    fn apply(&self, state: &mut LedgerState, signer: NodeId) -> Result<Self::Outcome, Rejection> {
        let node = self.node;
        owned(state, node, signer)?;
        if !state.roster.has_joined(&node) {
            return Err(Rejection::NotValidator { node });
        }
        state.roster.leave(&node);
        Ok(LeaveValidatorsOutcome { node, last: state.election_from(state.height) })
    }

    fn description(outcome: &Self::Outcome) -> Description {
        let LeaveValidatorsOutcome { node, last } = outcome;
        let duty = format!("keep it running until block {last}, the next election");
        Description {
            future: format!("removes {node} from the validators; {duty}"),
            past: format!("{node} has left the validators; {duty}"),
        }
    }
}
