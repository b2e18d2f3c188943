//! The rules of governance: the `[economy.governance]` section of a mesh spec.

use serde::{Deserialize, Serialize};

use crate::{
    economics::emission::CAP,
    params::{OutOfRange, within},
};

/// The longest voting period, and the longest delay, in blocks: 90 days of a public mesh.
const MAX_PERIOD: u64 = 648_000;

/// The rules of governance. Amounts are base units, times are blocks, parts are thousandths.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GovernanceRules {
    /// What a proposal holds back until the count, doubled for each other open one; lost on a veto or below the quorum.
    /// Default 100 tokens. Too small,
    /// and places of proposals are cheap to take; too large, and few can propose.
    pub deposit: u64,
    /// What a vote of a stake holds back until it is removed after the proposal is closed: it pays for its record. Default
    /// 0.01 token.
    pub vote_deposit: u64,
    /// Blocks in which stake can vote; default 50,400 (7 days).
    pub voting_period: u64,
    /// Blocks from the count to the effect, at least 1; default 14,400 (2 days). Together with `voting_period` at most
    /// `unbonding`: stake that voted answers for the decision until it takes effect, and cannot be sold before.
    pub delay: u64,
    /// The part of the stake of validators in office that has to vote, abstentions included; 200 to 1,000, default 400.
    pub quorum_permille: u64,
    /// A proposal passes when more than this part of what voted, without abstentions, is for it; 500 to 999, default 500.
    pub threshold_permille: u64,
    /// A proposal is refused, and its deposit lost, when more than this part of what voted is a veto; 100 to 500, default
    /// 334.
    pub veto_permille: u64,
    /// Most proposals that are open at once, 1 to 8; default 8. Each costs every change of a stake a look-up.
    pub most_open: u16,
    /// The part of the base fees that goes to the treasury instead of being recycled, up to 500; default 100.
    pub treasury_permille: u64,
}

/// The rules by which a proposal is counted: those of its submission.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct VoteRules {
    /// The part of all stake that has to vote, in thousandths.
    pub quorum_permille: u64,
    /// The part of yes and no that has to be exceeded, in thousandths.
    pub threshold_permille: u64,
    /// The part of the votes above which vetoes refuse it, in thousandths.
    pub veto_permille: u64,
    /// Blocks from the count to the effect.
    pub delay: u64,
}

impl Default for GovernanceRules {
    fn default() -> Self {
        Self {
            deposit: 100_000_000_000,
            vote_deposit: 10_000_000,
            voting_period: 50_400,
            delay: 14_400,
            quorum_permille: 400,
            threshold_permille: 500,
            veto_permille: 334,
            most_open: 8,
            treasury_permille: 100,
        }
    }
}

impl GovernanceRules {
    /// For a mesh on one machine, with a block a second.
    pub fn local() -> Self {
        Self { deposit: 1_000_000_000, voting_period: 20, delay: 5, ..Self::default() }
    }

    /// Refuses what does not add up, with its place below `[economy.governance]`.
    pub(crate) fn check(&self) -> Result<(), OutOfRange> {
        within("deposit", self.deposit, 1..=CAP)?;
        within("vote_deposit", self.vote_deposit, 0..=CAP)?;
        within("voting_period", self.voting_period, 1..=MAX_PERIOD)?;
        within("delay", self.delay, 1..=MAX_PERIOD)?;
        // Lower bounds that no vote can lower: a minority must not be able to make itself the rule.
        within("quorum_permille", self.quorum_permille, 200..=1_000)?;
        within("threshold_permille", self.threshold_permille, 500..=999)?;
        within("veto_permille", self.veto_permille, 100..=500)?;
        within("most_open", self.most_open.into(), 1..=8)?;
        within("treasury_permille", self.treasury_permille, 0..=500)
    }

    /// The rules of a proposal that is made now.
    pub(crate) const fn of_vote(&self) -> VoteRules {
        VoteRules {
            quorum_permille: self.quorum_permille,
            threshold_permille: self.threshold_permille,
            veto_permille: self.veto_permille,
            delay: self.delay,
        }
    }
}
