//! Giving a node another key, for instance after the old one leaked.

use nervure_primitives::{Amount, BlockHeight, Envelope, NodeId};
use serde::{Deserialize, Serialize};

use super::{
    Description, NodeRejection, Rejection, SignerKey, TransactionKind, kind::deposited,
    register_node::consenting, weight,
};
use crate::{deposits::RecordKind, nodes::RetiredKey, state::LedgerState};

/// Moves a node with its stakes and slots to another key. The old key is retired: no node can have it until nothing that it
/// signed can matter any more. Stakes are kept by the node's number, so that none of them changes.
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
    /// What is deposited for the record of the old key.
    #[serde(default)]
    pub deposit: Amount,
    /// The block from which on the old key can be registered again; never if the node equivocated.
    #[serde(default)]
    pub free: Option<BlockHeight>,
}

impl TransactionKind for SwapKey {
    type Outcome = SwapKeyOutcome;

    const SIGNER: SignerKey = SignerKey::Owner;

    fn weight(&self) -> u64 {
        weight::SWAP_KEY
    }

    fn spends(&self, state: &LedgerState) -> u64 {
        state.params.deposit(RecordKind::RetiredKey)
    }

    fn apply(&self, state: &mut LedgerState, signer: NodeId) -> Result<Self::Outcome, Rejection> {
        let old = self.old;
        owned(state, old, signer)?;
        let new = consenting(state, &self.consent, signer)?;
        let deposit = state.deposit(&signer, RecordKind::RetiredKey)?;
        // A key that equivocated does not come back as another node.
        let free = state.roster.tombstone(&old).is_none().then(|| state.retired_until());
        state.nodes.swap(old, new, RetiredKey { owner: signer, free, deposit });
        // Found first: a subnet that was borrowed to change it would count as changed.
        let involved = state.subnets.iter().filter(|(_, subnet)| subnet.involves(&old));
        for netuid in involved.map(|(netuid, _)| *netuid).collect::<Vec<_>>() {
            if let Some(subnet) = state.subnets.get_mut(&netuid) {
                subnet.swap(old, new);
            }
        }
        state.roster.swap(old, new);
        // The new key has not said yet that the anchor key is its own.
        let anchor = state.anchors.remove(&old);
        state.credit(signer, anchor);
        state.lane.swap(old, new);
        if let Some(vote) = state.votes.remove(&old) {
            state.votes.insert(new, vote);
        }
        Ok(SwapKeyOutcome { old, new, deposit, free })
    }

    fn description(outcome: &Self::Outcome) -> Description {
        let SwapKeyOutcome { old, new, deposit, free } = outcome;
        let deposited = match free {
            Some(free) => deposited(*deposit, &format!("at block {free}")),
            None if deposit.is_zero() => String::new(),
            None => format!("; {deposit} tokens are locked for good, because the node equivocated"),
        };
        Description {
            future: format!("replaces the key {old} of a node with {new}, permanently{deposited}"),
            past: format!("node {old} has the key {new}{deposited}"),
        }
    }

    #[cfg(test)]
    fn sample() -> super::Sample<Self> {
        use super::sample::{AMOUNT, BLOCK, consented, node, other};
        super::Sample {
            call: Self { old: node(), consent: consented() },
            call_hash: "58f0816420905aab716d6038e6341cf80380603667d59bc05f2406696ec00572",
            outcome: SwapKeyOutcome { old: node(), new: other(), deposit: AMOUNT, free: Some(BLOCK) },
            outcome_hash: "ca2e0a07057d4e82d845798da3ae08fe14c383c795d561ec2ff6c29a3a7785f8",
            future: "replaces the key NODE of a node with OTHER, permanently; 1.5 tokens are deposited and come back at block 300",
            past: "node NODE has the key OTHER; 1.5 tokens are deposited and come back at block 300",
        }
    }
}

/// Refuses unless `node` is a node of `owner`.
pub(super) fn owned(state: &LedgerState, node: NodeId, owner: NodeId) -> Result<(), Rejection> {
    match state.nodes.get(&node) {
        None => Err(NodeRejection::NoSuchNode { node }.into()),
        Some(found) if found.owner != owner => Err(NodeRejection::NotOwner { node }.into()),
        Some(_) => Ok(()),
    }
}
