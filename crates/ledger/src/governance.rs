//! Decisions of the token holders: what is proposed, who voted, and what the treasury holds.
//!
//! A [`Proposal`] changes parameters, schedules an upgrade, pays from the treasury, or is a text. Stake on the validators
//! in office votes on it for a fixed time. A stake votes as the owner of its node does, unless its staker votes itself
//! ([`Ballots`]). At the end the stakes are counted ([`Tally`]); what passed takes effect after a delay.
//!
//! **Bounds.** At most [`GovernanceRules::most_open`] proposals are open, the last [`MAX_KEPT`] closed ones are kept.
//! A count costs as much as there are validators in office, not as there are stakers: votes of stakers are summed when
//! they are given and when their stakes change. The votes of a closed proposal are removed some at a time.
//!
//! What a hostile voter can do: hold places of open proposals, each for a deposit that is lost below the quorum. What it
//! cannot: count a stake twice, whatever it does with it while the vote lasts, because only the stake at the end counts.

mod ballots;
mod choice;
mod parameters;
mod proposal;
mod rules;
mod tally;

use imbl::OrdMap;

pub use ballots::{BallotBox, Ballots, NodeBallots, StakeVote, StakeVoteKey};
pub use choice::{Choice, ChoiceShares};
pub use parameters::{
    FIXED_PARAMETERS, PARAMETERS, ParameterChange, ParameterError, ParameterValue, Rulebook,
};
pub(crate) use proposal::MAX_REASON_BYTES;
pub use proposal::{
    Action, Document, MAX_CHANGES, Proposal, ProposalId, ProposalStatus, ProposalTitle, ProposalUrl,
};
pub use rules::{GovernanceRules, VoteRules};
pub use tally::{Counted, Tally, Verdict};

/// How many closed proposals the state keeps; the oldest one goes first.
pub const MAX_KEPT: usize = 64;

/// The proposals and the treasury. Votes are kept with the stakes: [`crate::nodes::Nodes`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Governance {
    /// Those that are open, and the last closed ones.
    pub(crate) proposals: OrdMap<ProposalId, Proposal>,
    /// The number of the next proposal.
    pub(crate) next: ProposalId,
    /// What payments are made of, in base units.
    pub(crate) treasury: u64,
}

impl Governance {
    /// The proposals that are open and the last ones that were closed, by their numbers.
    pub fn proposals(&self) -> &OrdMap<ProposalId, Proposal> {
        &self.proposals
    }

    /// The number of the next proposal.
    pub fn next(&self) -> ProposalId {
        self.next
    }

    /// What the treasury holds, in base units.
    pub fn treasury(&self) -> u64 {
        self.treasury
    }

    /// How many proposals are not closed.
    pub fn open(&self) -> usize {
        self.proposals.values().filter(|proposal| proposal.is_open()).count()
    }

    /// The treasury and the deposits of open proposals, in base units.
    pub(crate) fn held(&self) -> u128 {
        let deposits = self.proposals.values().map(|proposal| u128::from(proposal.deposit.base_units()));
        u128::from(self.treasury) + deposits.sum::<u128>()
    }

    /// Forgets the oldest closed proposals beyond [`MAX_KEPT`].
    pub(crate) fn prune(&mut self) {
        let closed: Vec<ProposalId> =
            self.proposals.iter().filter(|(_, one)| !one.is_open()).map(|(id, _)| *id).collect();
        for id in closed.iter().take(closed.len().saturating_sub(MAX_KEPT)) {
            self.proposals.remove(id);
        }
    }
}
