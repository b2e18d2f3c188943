//! Removing a node that is not used any more, to have its deposits back.
//!
//! Nothing may depend on it: no stake, no slot, no place among the validators, nothing that was unstaked and still answers
//! for it. A validator's last stake leaves it after its last election, and answers for it for `unbonding` blocks, at least the evidence window and
//! an election interval: so what a deregistered node signed cannot be evidence any more.
//!
//! The key can be registered again at once: its nonces begin behind all that were used.

use nervure_primitives::{Amount, NodeId};
use serde::{Deserialize, Serialize};

use super::{
    Description, NodeRejection, NodeUse, Rejection, SignerKey, TransactionKind, swap_key::owned, weight,
};
use crate::state::LedgerState;

/// Removes a node of the signer, with its vote and its anchor key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeregisterNode {
    /// The node.
    pub node: NodeId,
}

/// A node that is none any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DeregisterNodeOutcome {
    /// The node.
    pub node: NodeId,
    /// What its owner has back: the deposits for the node, its vote and its anchor key, and dividends that no staker was
    /// there for.
    pub returned: Amount,
}

impl TransactionKind for DeregisterNode {
    type Outcome = DeregisterNodeOutcome;

    const SIGNER: SignerKey = SignerKey::Owner;

    fn weight(&self) -> u64 {
        weight::DEREGISTER_NODE
    }

    fn apply(&self, state: &mut LedgerState, signer: NodeId) -> Result<Self::Outcome, Rejection> {
        let node = self.node;
        owned(state, node, signer)?;
        if let Some(because) = node_use(state, &node) {
            return Err(NodeRejection::NodeInUse { node, because }.into());
        }
        let found = state.nodes.remove(&node).ok_or(NodeRejection::NoSuchNode { node })?;
        let vote = state.votes.remove(&node).map_or(0, |vote| vote.deposit.base_units());
        let anchor = state.anchors.remove(&node);
        // No shares are left, so that these are dividends that were never released.
        let dividends = u64::try_from(found.pool.held()).unwrap_or(u64::MAX);
        let returned =
            [vote, anchor, dividends].into_iter().fold(found.deposit.base_units(), u64::saturating_add);
        state.credit(signer, returned);
        Ok(DeregisterNodeOutcome { node, returned: Amount::from_base_units(returned) })
    }

    fn description(outcome: &Self::Outcome) -> Description {
        let DeregisterNodeOutcome { node, returned } = outcome;
        Description {
            future: format!("deregisters {node} and gives {returned} tokens of deposits back"),
            past: format!("{node} is deregistered, and {returned} tokens of deposits are given back"),
        }
    }

    fn hint(&self, rejection: &Rejection) -> &'static str {
        match rejection {
            Rejection::Node(NodeRejection::NodeInUse { because: NodeUse::Slot(_), .. }) => {
                "leave the slot first: nervure neuron deregister --netuid N --node NODE"
            }
            other => other.hint(),
        }
    }

    #[cfg(test)]
    fn sample() -> super::Sample<Self> {
        use super::sample::{AMOUNT, node};
        super::Sample {
            call: Self { node: node() },
            call_hash: "568c8031f121dc0185e5c0ed99e4dcb586dced4cccc927c5c7c7ac85aea28f0c",
            outcome: DeregisterNodeOutcome { node: node(), returned: AMOUNT },
            outcome_hash: "f4f3b5fc166f8f1b4330bd5ae5312f0bb0104285e824c907e632d4dc53ea954a",
            future: "deregisters NODE and gives 1.5 tokens of deposits back",
            past: "NODE is deregistered, and 1.5 tokens of deposits are given back",
        }
    }
}

/// What still depends on a node.
fn node_use(state: &LedgerState, node: &NodeId) -> Option<NodeUse> {
    let found = state.nodes.get(node)?;
    if found.pool.shares > 0 {
        return Some(NodeUse::Stake);
    }
    if let Some((netuid, _)) = state.subnets.iter().find(|(_, subnet)| subnet.involves(node)) {
        return Some(NodeUse::Slot(*netuid));
    }
    if state.roster.standing(node).is_some() {
        return Some(NodeUse::Standing);
    }
    // A set without any joined node stays in office, whatever stake it has.
    if state.roster.liveness_of(node).is_some() {
        return Some(NodeUse::Office);
    }
    let answers = state.accounts.answers_for(found.number) || state.nodes.moved.answers_for(found.number);
    answers.then_some(NodeUse::Unbonding)
}
