//! Giving a node another key, for instance after the old one leaked.

use nervure_primitives::{Envelope, NodeId};
use serde::{Deserialize, Serialize};

use super::{Description, Rejection, SignerKey, TransactionKind, register_node::consenting, weight};
use crate::state::LedgerState;

/// Moves a node with its stakes and slots to another key. The old key never comes back. Stakes are kept by the node's
/// number, so that none of them changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SwapKey {
    /// The key that the node has.
    pub old: NodeId,
    /// The new key's [consent](super::consent).
    pub consent: Envelope,
}

/// A node that has another key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SwapKeyOutcome {
    /// The key that it had.
    pub old: NodeId,
    /// The key that it has.
    pub new: NodeId,
}

impl TransactionKind for SwapKey {
    type Outcome = SwapKeyOutcome;

    const SIGNER: SignerKey = SignerKey::Owner;

    fn weight(&self) -> u64 {
        weight::SWAP_KEY
    }

    fn apply(&self, state: &mut LedgerState, signer: NodeId) -> Result<Self::Outcome, Rejection> {
        let old = self.old;
        owned(state, old, signer)?;
        let new = consenting(state, &self.consent, signer)?;
        state.nodes.swap(old, new);
        // Found first: a subnet that was borrowed to change it would count as changed.
        let involved = state.subnets.iter().filter(|(_, subnet)| subnet.involves(&old));
        for netuid in involved.map(|(netuid, _)| *netuid).collect::<Vec<_>>() {
            if let Some(subnet) = state.subnets.get_mut(&netuid) {
                subnet.swap(old, new);
            }
        }
        state.roster.swap(old, new);
        // The new key has not said yet that the anchor key is its own.
        state.anchors.remove(&old);
        state.lane.swap(old, new);
        if let Some(vote) = state.votes.remove(&old) {
            state.votes.insert(new, vote);
        }
        Ok(SwapKeyOutcome { old, new })
    }

    fn description(outcome: &Self::Outcome) -> Description {
        let SwapKeyOutcome { old, new } = outcome;
        Description {
            future: format!("replaces the key {old} of a node with {new}, permanently"),
            past: format!("node {old} has the key {new}"),
        }
    }
}

/// Refuses unless `node` is a node of `owner`.
pub(super) fn owned(state: &LedgerState, node: NodeId, owner: NodeId) -> Result<(), Rejection> {
    match state.nodes.get(&node) {
        None => Err(Rejection::NoSuchNode { node }),
        Some(found) if found.owner != owner => Err(Rejection::NotOwner { node }),
        Some(_) => Ok(()),
    }
}
