//! The count of a vote.
//!
//! All stake on the validators in office counts, by what it is worth at the block of the count. Stake on other nodes does
//! not: a count must not cost more than there are validators in office, whatever number of nodes an attacker registers.
//! A light client counts the same way with proven records.

use std::fmt;

use nervure_primitives::Amount;
use serde::{Deserialize, Serialize};

use super::{BallotBox, Choice, VoteRules};
use crate::nodes::StakePool;

/// The stake of a validator in office, and the votes on it.
#[derive(Clone, Copy, Debug)]
pub struct Counted<'a> {
    /// Its stake.
    pub pool: &'a StakePool,
    /// The votes; none when no stake on it voted, nor its owner.
    pub ballots: Option<&'a BallotBox>,
}

/// How stake voted, in tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Tally {
    /// All stake that could vote.
    pub total: Amount,
    /// For the proposal.
    pub yes: Amount,
    /// Against it.
    pub no: Amount,
    /// Neither.
    pub abstain: Amount,
    /// Against it and its deposit.
    pub veto: Amount,
}

/// What a tally decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Enough stake is for it.
    Passed,
    /// Too little stake voted: refused, the deposit is lost.
    NoQuorum,
    /// Vetoed: refused, the deposit is lost.
    Vetoed,
    /// Too little of what voted is for it: refused, the deposit comes back.
    Refused,
}

impl Tally {
    /// Counts the votes on `nodes` at the end of the block at `height`.
    pub fn count<'a>(height: u64, nodes: impl IntoIterator<Item = Counted<'a>>) -> Self {
        let mut tally = Self::default();
        for Counted { pool, ballots } in nodes {
            let pool = pool.at(height);
            let whole = pool.worth(pool.shares);
            add(&mut tally.total, whole);
            let Some(ballots) = ballots else { continue };
            let shares = &ballots.shares;
            let own = [
                (Choice::Yes, shares.yes),
                (Choice::No, shares.no),
                (Choice::Abstain, shares.abstain),
                (Choice::Veto, shares.veto),
            ];
            let mut left = whole;
            for (choice, held) in own {
                // Rounded down, so that they are never more than the whole; the bound is for a pool that is inconsistent.
                let worth = pool.worth(held).min(left);
                left -= worth;
                add(tally.of(choice), worth);
            }
            // What did not vote itself votes as the node's owner did.
            if let Some(choice) = ballots.node {
                add(tally.of(choice), left);
            }
        }
        tally
    }

    /// The stake that voted.
    pub fn voted(&self) -> Amount {
        let all = [self.yes, self.no, self.abstain, self.veto].map(Amount::base_units);
        Amount::from_base_units(all.into_iter().fold(0, u64::saturating_add))
    }

    /// What it decides by `rules`.
    pub fn verdict(&self, rules: &VoteRules) -> Verdict {
        let [yes, no, veto] = [self.yes, self.no, self.veto].map(|part| u128::from(part.base_units()));
        let [voted, total] = [self.voted(), self.total].map(|part| u128::from(part.base_units()));
        let more = |part: u128, whole: u128, permille: u64| part * 1_000 > whole * u128::from(permille);
        if voted == 0 || voted * 1_000 < total * u128::from(rules.quorum_permille) {
            return Verdict::NoQuorum;
        }
        if more(veto, voted, rules.veto_permille) {
            return Verdict::Vetoed;
        }
        match more(yes, yes + no + veto, rules.threshold_permille) {
            true => Verdict::Passed,
            false => Verdict::Refused,
        }
    }

    fn of(&mut self, choice: Choice) -> &mut Amount {
        match choice {
            Choice::Yes => &mut self.yes,
            Choice::No => &mut self.no,
            Choice::Abstain => &mut self.abstain,
            Choice::Veto => &mut self.veto,
        }
    }
}

impl Verdict {
    /// Whether the deposit is lost.
    pub const fn burns_deposit(self) -> bool {
        matches!(self, Self::NoQuorum | Self::Vetoed)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Passed => "passed",
            Self::NoQuorum => "refused: too little stake voted, and its deposit is lost",
            Self::Vetoed => "refused by veto, and its deposit is lost",
            Self::Refused => "refused: not enough of the votes are for it",
        })
    }
}

fn add(to: &mut Amount, amount: u64) {
    crate::accounts::add(to, amount);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::governance::{ChoiceShares, GovernanceRules};

    const RULES: VoteRules =
        VoteRules { quorum_permille: 400, threshold_permille: 500, veto_permille: 334, delay: 1 };

    fn tally([yes, no, abstain, veto]: [u64; 4]) -> Tally {
        let [yes, no, abstain, veto] = [yes, no, abstain, veto].map(Amount::from_base_units);
        Tally { total: Amount::from_base_units(1_000), yes, no, abstain, veto }
    }

    #[test]
    fn a_verdict_needs_quorum_majority_and_no_veto() {
        let verdict = |votes| tally(votes).verdict(&RULES);
        assert_eq!(verdict([0; 4]), Verdict::NoQuorum);
        assert_eq!(verdict([399, 0, 0, 0]), Verdict::NoQuorum);
        assert_eq!(verdict([400, 0, 0, 0]), Verdict::Passed);
        assert_eq!(verdict([1, 0, 399, 0]), Verdict::Passed, "abstentions count for the quorum only");
        assert_eq!(verdict([0, 0, 400, 0]), Verdict::Refused);
        assert_eq!(verdict([200, 200, 0, 0]), Verdict::Refused, "half is not more than half");
        assert_eq!(verdict([201, 200, 0, 0]), Verdict::Passed);
        assert_eq!(verdict([666, 0, 0, 334]), Verdict::Passed);
        assert_eq!(verdict([665, 0, 0, 335]), Verdict::Vetoed);
        assert_eq!(GovernanceRules::default().of_vote().quorum_permille, RULES.quorum_permille);
        // A mesh without stake in office decides nothing.
        assert_eq!(Tally::default().verdict(&RULES), Verdict::NoQuorum);
    }

    #[test]
    fn stake_votes_as_its_node_unless_it_votes_itself() {
        let mut pool = StakePool::new(0);
        let delegator = pool.deposit(300).unwrap();
        pool.deposit(700).unwrap();
        let mut ballots = BallotBox { node: Some(Choice::Yes), shares: ChoiceShares::default() };
        let count = |ballots: Option<BallotBox>| {
            let ballots = ballots.as_ref();
            let Tally { total, yes, no, .. } = Tally::count(5, [Counted { pool: &pool, ballots }]);
            [total, yes, no].map(Amount::base_units)
        };
        assert_eq!(count(Some(ballots)), [1_000, 1_000, 0]);
        *ballots.shares.of(Choice::No) = delegator;
        assert_eq!(count(Some(ballots)), [1_000, 700, 300]);
        ballots.node = None;
        assert_eq!(count(Some(ballots)), [1_000, 0, 300]);
        assert_eq!(count(None), [1_000, 0, 0]);
    }
}
