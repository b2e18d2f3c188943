//! Saying how the emission should be shared among subnets. Only the largest stakes' votes count, but
//! every node may vote: the set of the largest changes with every block.

use std::collections::BTreeSet;

use nervure_primitives::{BlockHeight, Netuid, NodeId};
use serde::{Deserialize, Serialize};

use super::{Description, Rejection, SignerKey, TransactionKind, weight};
use crate::{
    economics::shares::WHOLE,
    lane::LaneScope,
    state::{LedgerState, ROOT_VALIDATORS, ShareChange, SubnetVote},
};

/// Most changes that a text lists.
const MAX_SHOWN: usize = 8;

/// Replaces the signer's vote.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VoteSubnets {
    /// Subnets and weights, in any scale; none at all abstains.
    pub weights: Vec<(Netuid, u16)>,
}

/// A vote that is known, and what the next step of the shares does with all votes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct VoteSubnetsOutcome {
    /// The block of the next step of the shares.
    pub step: BlockHeight,
    /// Whether the node is one of those with the largest stakes, whose votes count.
    pub counts: bool,
    /// The shares that the next step changes if votes and stakes stay as they are. Only a trial of the vote computes them:
    /// a block does not need them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<ShareChange>,
}

impl VoteSubnetsOutcome {
    /// Computes what the next step changes after this vote; nothing if the vote does not count.
    pub(crate) fn foresee(&mut self, state: &LedgerState) {
        if self.counts {
            self.changes = state.share_changes();
            self.changes.retain(|change| change.now != change.next);
        }
    }

    /// What it changes, in words.
    fn effect(&self) -> String {
        let Self { step, counts, changes } = self;
        if !counts {
            return format!(
                "it does not count now: only the {ROOT_VALIDATORS} nodes with the largest stakes vote"
            );
        }
        let one = |change: &ShareChange| {
            format!("subnet {} {} (now {})", change.netuid, percent(change.next), percent(change.now))
        };
        let mut shown: Vec<String> = changes.iter().take(MAX_SHOWN).map(one).collect();
        if changes.len() > MAX_SHOWN {
            shown.push(format!("{} more", changes.len() - MAX_SHOWN));
        }
        match shown.is_empty() {
            true => {
                format!("no share changes at block {step}: less than half of all stake votes for a change")
            }
            false => format!("with all votes as they are, at block {step}: {}", shown.join(", ")),
        }
    }
}

/// A share as percent, rounded down to a thousandth.
fn percent(share: u64) -> String {
    let thousandths = u128::from(share) * 100_000 / u128::from(WHOLE);
    format!("{}.{:03} %", thousandths / 1_000, thousandths % 1_000)
}

impl TransactionKind for VoteSubnets {
    type Outcome = VoteSubnetsOutcome;

    const SIGNER: SignerKey = SignerKey::Node;

    fn weight(&self) -> u64 {
        weight::VOTE.saturating_add(weight::each(weight::VOTED_SUBNET, self.weights.len()))
    }

    fn lane(&self) -> Option<LaneScope> {
        Some(LaneScope::Election)
    }

    fn apply(&self, state: &mut LedgerState, node: NodeId) -> Result<Self::Outcome, Rejection> {
        if let Some(vote) = state.votes.get(&node) {
            let from = vote.block.saturating_add(state.params.vote_interval);
            if state.height < from {
                return Err(Rejection::VoteTooSoon { from: BlockHeight(from) });
            }
        }
        let mut seen = BTreeSet::new();
        for (netuid, _) in &self.weights {
            if !state.subnets.contains_key(netuid) {
                return Err(Rejection::NoSuchSubnet { netuid: *netuid });
            }
            if !seen.insert(*netuid) {
                return Err(Rejection::Duplicate);
            }
        }
        state.votes.insert(node, SubnetVote { block: state.height, weights: self.weights.clone() });
        let counts = state.is_root_validator(&node);
        Ok(VoteSubnetsOutcome { step: state.next_share_step(), counts, changes: Vec::new() })
    }

    fn description(outcome: &Self::Outcome) -> Description {
        let VoteSubnetsOutcome { step, counts, .. } = outcome;
        let known = match counts {
            true => format!("the vote counts from block {step} on"),
            false => "the vote is kept until the node has one of the largest stakes".into(),
        };
        Description {
            future: format!("votes on how the emission is shared among subnets; {}", outcome.effect()),
            past: known,
        }
    }

    fn hint(&self, rejection: &Rejection) -> &'static str {
        match rejection {
            Rejection::Duplicate => "name each subnet once: nervure vote NETUID=WEIGHT...",
            other => other.hint(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_a_vote_changes() {
        let change = |netuid, now, next| ShareChange { netuid: Netuid(netuid), now, next };
        let changes = vec![change(1, WHOLE / 2, WHOLE * 9 / 20), change(2, WHOLE / 2, WHOLE * 11 / 20)];
        let outcome = VoteSubnetsOutcome { step: BlockHeight(720), counts: true, changes };
        assert_eq!(
            outcome.effect(),
            "with all votes as they are, at block 720: subnet 1 45.000 % (now 50.000 %), subnet 2 55.000 % (now 50.000 %)"
        );
        let many = VoteSubnetsOutcome { changes: vec![change(1, 0, 1); 10], ..outcome.clone() };
        assert!(many.effect().ends_with("2 more"));
        let none = VoteSubnetsOutcome { changes: Vec::new(), ..outcome.clone() };
        assert!(none.effect().starts_with("no share changes at block 720"));
        assert!(VoteSubnetsOutcome { counts: false, ..outcome }.effect().starts_with("it does not count"));
    }
}
