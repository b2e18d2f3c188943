//! Setting what a node keeps of its stakers' dividends.
//!
//! Lowering it is always possible; raising it only now and then, so that stakers can leave before it
//! is raised again.

use nervure_primitives::{BlockHeight, NodeId};
use serde::{Deserialize, Serialize};

use super::{Outcome, Rejection, swap_key::owned};
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

impl SetTake {
    pub(super) fn apply(&self, state: &mut LedgerState, signer: NodeId) -> Result<Outcome, Rejection> {
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
        Ok(Outcome::TakeSet { node, take })
    }
}
