//! Opting in to making blocks.
//!
//! Only the owner can: stake that strangers put on a node must not make it a validator. See
//! [`crate::roster`].

use nervure_primitives::{Amount, BlockHeight, NodeId};
use serde::{Deserialize, Serialize};

use super::{Description, Rejection, SignerKey, TransactionKind, swap_key::owned, weight};
use crate::{roster::Standing, state::LedgerState};

/// Lets `node` make blocks whenever it is elected. Also how a jailed validator returns.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JoinValidators {
    /// A node of the signer, with the minimum self-stake.
    pub node: NodeId,
}

/// A node that joined the validators.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct JoinValidatorsOutcome {
    /// The node.
    pub node: NodeId,
    /// The block of the first election that it stands in.
    pub election: BlockHeight,
}

impl TransactionKind for JoinValidators {
    type Outcome = JoinValidatorsOutcome;

    const SIGNER: SignerKey = SignerKey::Owner;

    fn weight(&self) -> u64 {
        weight::JOIN_VALIDATORS
    }

    fn apply(&self, state: &mut LedgerState, signer: NodeId) -> Result<Self::Outcome, Rejection> {
        let node = self.node;
        owned(state, node, signer)?;
        match state.roster.standing(&node) {
            Some(Standing::Joined { .. }) => return Err(Rejection::AlreadyValidator { node }),
            Some(Standing::Jailed { until }) if state.height < until => {
                return Err(Rejection::Jailed { node, until: BlockHeight(until) });
            }
            Some(Standing::Tombstoned(tombstone)) => {
                return Err(Rejection::Tombstoned { node, height: BlockHeight(tombstone.height) });
            }
            Some(Standing::Jailed { .. }) | None => {}
        }
        let least = Amount::from_base_units(state.params.min_self_stake);
        let staked = state.self_stake(&node);
        if staked < least {
            return Err(Rejection::SelfStake { least, staked });
        }
        state.roster.join(node, state.height);
        Ok(JoinValidatorsOutcome { node, election: state.election_from(state.height) })
    }

    fn description(outcome: &Self::Outcome) -> Description {
        let JoinValidatorsOutcome { node, election } = outcome;
        let duty = format!(
            "if it is elected at block {election} or later, it has to run as a validator and sign every block"
        );
        Description {
            future: format!("joins {node} to the validators; {duty}"),
            past: format!("{node} has joined the validators; {duty}"),
        }
    }
}
