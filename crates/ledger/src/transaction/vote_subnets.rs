//! Saying how the emission should be shared among subnets. Only the largest stakes' votes count, but
//! every node may vote: the set of the largest changes with every block.

use std::collections::BTreeSet;

use nervure_primitives::{Amount, BlockHeight, Netuid, NodeId};
use serde::{Deserialize, Serialize};

use super::{
    Description, NodeRejection, Rejection, SignerKey, SubnetRejection, TransactionKind, WeightsRejection,
    kind::deposited, weight,
};
use crate::{
    deposits::RecordKind,
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
    /// Subnets and weights, in any scale; none at all withdraws the vote and gives its deposit back.
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
    /// What is deposited for the vote by the node's owner; nothing without one.
    #[serde(default)]
    pub deposit: Amount,
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
        let Self { step, counts, changes, .. } = self;
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
                return Err(SubnetRejection::VoteTooSoon { from: BlockHeight(from) }.into());
            }
        }
        let mut seen = BTreeSet::new();
        for (netuid, _) in &self.weights {
            if !state.subnets.contains_key(netuid) {
                return Err(SubnetRejection::NoSuchSubnet { netuid: *netuid }.into());
            }
            if !seen.insert(*netuid) {
                return Err(WeightsRejection::Duplicate.into());
            }
        }
        let owner = state.nodes.get(&node).ok_or(NodeRejection::NoSuchNode { node })?.owner;
        let former = state.votes.get(&node).map_or(Amount::ZERO, |vote| vote.deposit);
        let deposit = match self.weights.len() {
            0 => 0,
            subnets => state.params.deposit(RecordKind::Vote(subnets)),
        };
        let deposit = Amount::from_base_units(deposit);
        state.replace_deposit(&owner, former, deposit)?;
        match self.weights.is_empty() {
            true => drop(state.votes.remove(&node)),
            false => {
                let vote = SubnetVote { block: state.height, weights: self.weights.clone(), deposit };
                state.votes.insert(node, vote);
            }
        }
        let counts = state.is_root_validator(&node);
        Ok(VoteSubnetsOutcome { step: state.next_share_step(), counts, changes: Vec::new(), deposit })
    }

    fn description(outcome: &Self::Outcome) -> Description {
        let VoteSubnetsOutcome { step, counts, deposit, .. } = outcome;
        let deposited = deposited(*deposit, "when the node withdraws it: nervure vote");
        let known = match counts {
            true => format!("the vote counts from block {step} on"),
            false => "the vote is kept until the node has one of the largest stakes".into(),
        };
        Description {
            future: format!(
                "votes on how the emission is shared among subnets; {}{deposited}",
                outcome.effect()
            ),
            past: known + &deposited,
        }
    }

    fn hint(&self, rejection: &Rejection) -> &'static str {
        match rejection {
            Rejection::Weights(WeightsRejection::Duplicate) => {
                "name each subnet once: nervure vote NETUID=WEIGHT..."
            }
            other => other.hint(),
        }
    }

    #[cfg(test)]
    fn sample() -> super::Sample<Self> {
        use super::sample::{AMOUNT, NETUID};
        super::Sample {
            call: Self { weights: vec![(NETUID, 4)] },
            call_hash: "076b6dd35151216f2636ae17bbe5765dc19a8c69f3c9bd7b4be51e32e63bc67b",
            outcome: VoteSubnetsOutcome {
                step: BlockHeight(360),
                counts: true,
                changes: vec![ShareChange { netuid: NETUID, now: 5, next: 6 }],
                deposit: AMOUNT,
            },
            outcome_hash: "3411d994100792da52d68e1af30c4deeb51e68cddf40d12244d64b3fa800ab5c",
            future: "votes on how the emission is shared among subnets; with all votes as they are, at block 360: subnet 3 0.000 % (now 0.000 %); 1.5 tokens are deposited and come back when the node withdraws it: nervure vote",
            past: "the vote counts from block 360 on; 1.5 tokens are deposited and come back when the node withdraws it: nervure vote",
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
        let outcome =
            VoteSubnetsOutcome { step: BlockHeight(720), counts: true, changes, deposit: Amount::ZERO };
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
