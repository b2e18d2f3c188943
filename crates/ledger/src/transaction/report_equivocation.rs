//! Reporting that a validator equivocated.
//!
//! A node key signs it, so that every validator can report by itself what its engine finds. Any registered node may; the
//! reward goes to its owner. See [`crate::state::Offence`] for what it costs the equivocator.
//!
//! What a hostile reporter can do: have two signatures verified, for which it pays or uses its quota of the lane, or copy
//! the report of another node and be first. What it cannot: make evidence without the validator's key, or have a node
//! slashed twice.

use nervure_consensus::statement::Equivocation;
use nervure_primitives::{Amount, BlockHeight, NodeId};
use serde::{Deserialize, Serialize};

use super::{Description, NodeRejection, Rejection, SignerKey, TransactionKind, weight};
use crate::{lane::LaneScope, state::LedgerState};

/// Shows that a validator equivocated: it is slashed and makes no blocks any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReportEquivocation {
    /// Two statements that the validator signed and that contradict each other.
    pub evidence: Box<Equivocation>,
}

/// A validator that was slashed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ReportEquivocationOutcome {
    /// The node, by its present key.
    pub node: NodeId,
    /// The height at which it equivocated.
    pub height: BlockHeight,
    /// What was taken from the stakes on it at once. What was unstaked from it before is slashed when it is released.
    pub slashed: Amount,
    /// What the reporter's owner got of it; the rest is recycled.
    pub reward: Amount,
}

impl TransactionKind for ReportEquivocation {
    type Outcome = ReportEquivocationOutcome;

    const SIGNER: SignerKey = SignerKey::Node;

    fn weight(&self) -> u64 {
        weight::REPORT_EQUIVOCATION
    }

    /// Free for validators in office, so that one honest validator suffices whatever its owner holds.
    fn lane(&self) -> Option<LaneScope> {
        Some(LaneScope::Election)
    }

    fn apply(&self, state: &mut LedgerState, signer: NodeId) -> Result<Self::Outcome, Rejection> {
        let owner = state.nodes.get(&signer).ok_or(NodeRejection::NoSuchNode { node: signer })?.owner;
        let offence = state.offence(&self.evidence)?;
        let punishment = state.punish(&offence, owner);
        Ok(ReportEquivocationOutcome {
            node: offence.node,
            height: offence.height,
            slashed: punishment.slashed,
            reward: punishment.reward,
        })
    }

    fn description(outcome: &Self::Outcome) -> Description {
        let ReportEquivocationOutcome { node, height, slashed, reward } = outcome;
        let effect = format!(
            "{slashed} tokens of the stakes on it, of which {reward} go to the reporting node's owner; it never makes \
             blocks again"
        );
        Description {
            future: format!("proves that {node} equivocated at block {height} and slashes {effect}"),
            past: format!("{node} equivocated at block {height} and lost {effect}"),
        }
    }

    #[cfg(test)]
    fn sample() -> super::Sample<Self> {
        use super::sample::{AMOUNT, BLOCK, evidence, node};
        super::Sample {
            call: Self { evidence: evidence().into() },
            call_hash: "40c7329d2c4acbabff71ac02a54dbcaa46881e032b64d4932a9992fc61e85556",
            outcome: ReportEquivocationOutcome {
                node: node(),
                height: BLOCK,
                slashed: AMOUNT,
                reward: Amount::from_base_units(5),
            },
            outcome_hash: "e255eb29d24c5da91c1b85f9b1b6f8c5cbe6a17b84dc777e68bac5f044c23844",
            future: "proves that NODE equivocated at block 300 and slashes 1.5 tokens of the stakes on it, of which 0.000000005 go to the reporting node's owner; it never makes blocks again",
            past: "NODE equivocated at block 300 and lost 1.5 tokens of the stakes on it, of which 0.000000005 go to the reporting node's owner; it never makes blocks again",
        }
    }
}
