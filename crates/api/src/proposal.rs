//! Proposals of token holders.

use std::collections::BTreeMap;

use nervure_ledger::governance::{ParameterChange, Proposal, ProposalId, Tally, Verdict};
use nervure_primitives::{Amount, BlockHeight};
use serde::{Deserialize, Serialize};

/// A proposal and the count of its votes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ProposalView {
    /// Its number.
    pub id: ProposalId,
    /// The proposal.
    pub proposal: Proposal,
    /// What it makes of the parameters as they are now, while it is open.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<ParameterChange>,
    /// The count that was made, or the one that would be made now.
    pub count: Tally,
    /// What this count decides.
    pub verdict: Verdict,
}

impl ProposalView {
    /// A proposal with this count.
    pub fn new(id: ProposalId, proposal: Proposal, count: Tally) -> Self {
        let verdict = count.verdict(&proposal.rules);
        Self { id, proposal, changes: Vec::new(), count, verdict }
    }
}

/// The proposals and the treasury.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ProposalPage {
    /// The height of the last block; all values are those of the state after it.
    pub height: BlockHeight,
    /// What the treasury holds.
    pub treasury: Amount,
    /// What a proposal in the next block holds back.
    pub deposit: Amount,
    /// What the vote of a stake holds back.
    pub vote_deposit: Amount,
    /// Most proposals that are open at once.
    pub most_open: u16,
    /// Those that are open and the last closed ones, the latest first.
    pub proposals: Vec<ProposalView>,
}

/// The parameters that proposals can change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ParameterPage {
    /// The height of the last block; all values are those of the state after it.
    pub height: BlockHeight,
    /// Their values by name.
    pub parameters: BTreeMap<String, u64>,
    /// Those that no proposal can change, with the reason.
    pub fixed: BTreeMap<String, String>,
}
