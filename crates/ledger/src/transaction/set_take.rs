//! Setting what a node keeps of its stakers' dividends.
//!
//! Lowering it is always possible; raising it only now and then, so that stakers can leave before it
//! is raised again.

use nervure_primitives::{BlockHeight, NodeId};
use serde::{Deserialize, Serialize};

use super::{Description, NodeRejection, Rejection, SignerKey, TransactionKind, swap_key::owned, weight};
use crate::{nodes::MAX_TAKE, proxies::ProxyScope, state::LedgerState};

/// Sets a node's take.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetTake {
    /// The node.
    pub node: NodeId,
    /// What it keeps, of 65,535; at most [`MAX_TAKE`].
    pub take: u16,
}

/// A node whose owner keeps another part of its stakers' dividends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SetTakeOutcome {
    /// The node.
    pub node: NodeId,
    /// What it keeps, of 65,535.
    pub take: u16,
}

impl TransactionKind for SetTake {
    type Outcome = SetTakeOutcome;

    const SIGNER: SignerKey = SignerKey::Owner;

    fn weight(&self) -> u64 {
        weight::SET_TAKE
    }

    fn scope(&self) -> Option<ProxyScope> {
        Some(ProxyScope::Nodes)
    }

    fn apply(&self, state: &mut LedgerState, signer: NodeId) -> Result<Self::Outcome, Rejection> {
        let Self { node, take } = *self;
        owned(state, node, signer)?;
        if take > MAX_TAKE {
            return Err(NodeRejection::Take { take }.into());
        }
        let (height, interval) = (state.height, state.params.take_interval);
        let found = state.nodes.get(&node).ok_or(NodeRejection::NoSuchNode { node })?;
        let mut raised = found.take_raised;
        if take > found.take {
            let from = raised.saturating_add(interval);
            if height < from {
                return Err(NodeRejection::TakeTooSoon { from: BlockHeight(from) }.into());
            }
            raised = height;
        }
        state.nodes.set_take(&node, take, raised);
        Ok(SetTakeOutcome { node, take })
    }

    fn description(outcome: &Self::Outcome) -> Description {
        let SetTakeOutcome { node, take } = outcome;
        let share = format!("{} of its stakers' dividends", percent(*take));
        Description {
            future: format!("lets the owner of {node} keep {share}"),
            past: format!("the owner of {node} keeps {share}"),
        }
    }

    #[cfg(test)]
    fn sample() -> super::Sample<Self> {
        use super::sample::node;
        super::Sample {
            call: Self { node: node(), take: 6_553 },
            call_hash: "b070f9645c219cdd664bb01ad0ed5b62a91b6c3ef1a9e5d96a546e999036ce0b",
            outcome: SetTakeOutcome { node: node(), take: 6_553 },
            outcome_hash: "65572702be6dc8c970e267ba88102b366b7114b0735de20f5b5775c3edcb48c8",
            future: "lets the owner of NODE keep 10.00 % of its stakers' dividends",
            past: "the owner of NODE keeps 10.00 % of its stakers' dividends",
        }
    }
}

/// A share in parts of 65,535, as percent.
fn percent(of_u16: u16) -> String {
    // Rounded to the nearest hundredth, so that 18 % reads as such.
    let hundredths = (u64::from(of_u16) * 10_000 + 32_767) / u64::from(u16::MAX);
    format!("{}.{:02} %", hundredths / 100, hundredths % 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_shares_in_percent() {
        assert_eq!([MAX_TAKE, 6_553, 0].map(percent), ["18.00 %", "10.00 %", "0.00 %"]);
    }
}
