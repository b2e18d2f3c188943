//! Saying how the emission should be shared among subnets. Only the largest stakes' votes count, but
//! every node may vote: the set of the largest changes with every block.

use std::collections::BTreeSet;

use nervure_primitives::{BlockHeight, Netuid, NodeId};
use serde::{Deserialize, Serialize};

use super::{Description, Rejection, SignerKey, TransactionKind, weight};
use crate::{
    lane::LaneScope,
    state::{LedgerState, SubnetVote},
};

/// Replaces the signer's vote.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VoteSubnets {
    /// Subnets and weights, in any scale; none at all abstains.
    pub weights: Vec<(Netuid, u16)>,
}

impl TransactionKind for VoteSubnets {
    type Outcome = ();

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
        Ok(())
    }

    fn description((): &Self::Outcome) -> Description {
        Description {
            future: "votes on how the emission is shared among subnets".into(),
            past: "the vote counts from now on".into(),
        }
    }

    fn hint(&self, rejection: &Rejection) -> &'static str {
        match rejection {
            Rejection::Duplicate => "name each subnet once: nervure vote NETUID=WEIGHT...",
            other => other.hint(),
        }
    }
}
