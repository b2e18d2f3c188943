//! Setting what a node keeps of its stakers' dividends.
//!
//! Lowering it is always possible; raising it only now and then, so that stakers can leave before it
//! is raised again.

use nervure_primitives::{BlockHeight, NodeId};
use serde::{Deserialize, Serialize};

use super::{Description, Rejection, SignerKey, TransactionKind, swap_key::owned, weight};
use crate::{nodes::MAX_TAKE, state::LedgerState};

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

    fn apply(&self, state: &mut LedgerState, signer: NodeId) -> Result<Self::Outcome, Rejection> {
        let Self { node, take } = *self;
        owned(state, node, signer)?;
        if take > MAX_TAKE {
            return Err(Rejection::Take { take });
        }
        let (height, interval) = (state.height, state.params.take_interval);
        let found = state.nodes.get(&node).ok_or(Rejection::NoSuchNode { node })?;
        let mut raised = found.take_raised;
        if take > found.take {
            let from = raised.saturating_add(interval);
            if height < from {
                return Err(Rejection::TakeTooSoon { from: BlockHeight(from) });
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
