//! Opting in to making blocks.
//!
//! Only the owner can: stake that strangers put on a node must not make it a validator. See
//! [`crate::roster`].

use nervure_primitives::{Amount, BlockHeight, NodeId};
use serde::{Deserialize, Serialize};

use super::{
    Description, Rejection, SignerKey, TransactionKind, ValidatorRejection, swap_key::owned, weight,
};
use crate::{proxies::ProxyScope, roster::Standing, state::LedgerState};

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

    fn scope(&self) -> Option<ProxyScope> {
        Some(ProxyScope::Nodes)
    }

    fn apply(&self, state: &mut LedgerState, signer: NodeId) -> Result<Self::Outcome, Rejection> {
        let node = self.node;
        owned(state, node, signer)?;
        match state.roster.standing(&node) {
            Some(Standing::Joined { .. }) => return Err(ValidatorRejection::AlreadyValidator { node }.into()),
            Some(Standing::Jailed { until }) if state.height < until => {
                return Err(ValidatorRejection::Jailed { node, until: BlockHeight(until) }.into());
            }
            Some(Standing::Tombstoned(tombstone)) => {
                return Err(
                    ValidatorRejection::Tombstoned { node, height: BlockHeight(tombstone.height) }.into()
                );
            }
            Some(Standing::Jailed { .. }) | None => {}
        }
        let least = Amount::from_base_units(state.params.min_self_stake);
        let staked = state.self_stake(&node);
        if staked < least {
            return Err(ValidatorRejection::SelfStake { least, staked }.into());
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

    #[cfg(test)]
    fn sample() -> super::Sample<Self> {
        use super::sample::{BLOCK, node};
        super::Sample {
            call: Self { node: node() },
            call_hash: "bc27250c820647e0948b9041d117023ce0b0ba642ea48cf2aeeecb8f87a67db5",
            outcome: JoinValidatorsOutcome { node: node(), election: BLOCK },
            outcome_hash: "dc54aec3dd9b98c74d039e7c11351ffbe8a119ba4b0ac5eb01794b02ba33c524",
            future: "joins NODE to the validators; if it is elected at block 300 or later, it has to run as a validator and sign every block",
            past: "NODE has joined the validators; if it is elected at block 300 or later, it has to run as a validator and sign every block",
        }
    }
}
