//! Opting out of making blocks.

use nervure_primitives::{BlockHeight, NodeId};
use serde::{Deserialize, Serialize};

use super::{
    Description, Rejection, SignerKey, TransactionKind, ValidatorRejection, swap_key::owned, weight,
};
use crate::{proxies::ProxyScope, state::LedgerState};

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

    fn scope(&self) -> Option<ProxyScope> {
        Some(ProxyScope::Nodes)
    }

    fn apply(&self, state: &mut LedgerState, signer: NodeId) -> Result<Self::Outcome, Rejection> {
        let node = self.node;
        owned(state, node, signer)?;
        if !state.roster.has_joined(&node) {
            return Err(ValidatorRejection::NotValidator { node }.into());
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

    #[cfg(test)]
    fn sample() -> super::Sample<Self> {
        use super::sample::{BLOCK, node};
        super::Sample {
            call: Self { node: node() },
            call_hash: "ef5d4a6eed45db1294473fc7304d6878fa3306a10445fd9de6017428091610f2",
            outcome: LeaveValidatorsOutcome { node: node(), last: BLOCK },
            outcome_hash: "e627fa44131fb8771b21f4a9334d000e772a6d025541978041f40b567b6c1a51",
            future: "removes NODE from the validators; keep it running until block 300, the next election",
            past: "NODE has left the validators; keep it running until block 300, the next election",
        }
    }
}
