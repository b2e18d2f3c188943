//! Leaving a slot in a subnet, to have its deposit back.
//!
//! The slot stays vacant until a newcomer takes it, before any other: uids do not move, so that weights that others committed
//! mean the same slots. What was burned for the slot does not come back.

use nervure_primitives::{Amount, Netuid, NodeId, Uid};
use serde::{Deserialize, Serialize};

use super::{
    Description, NodeRejection, NodeUse, Rejection, SignerKey, SubnetRejection, TransactionKind,
    WeightsRejection, swap_key::owned, weight,
};
use crate::{proxies::ProxyScope, state::LedgerState, subnet::Neuron};

/// Takes a node of the signer out of its slot in a subnet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeregisterNeuron {
    /// The subnet.
    pub netuid: Netuid,
    /// The node.
    pub node: NodeId,
}

/// A node that has no slot any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DeregisterNeuronOutcome {
    /// The subnet.
    pub netuid: Netuid,
    /// The slot, which is vacant.
    pub uid: Uid,
    /// The node that had it.
    pub node: NodeId,
    /// What its owner has back: the deposit for the slot.
    pub returned: Amount,
}

impl TransactionKind for DeregisterNeuron {
    type Outcome = DeregisterNeuronOutcome;

    const SIGNER: SignerKey = SignerKey::Owner;

    fn weight(&self) -> u64 {
        weight::DEREGISTER_NEURON
    }

    fn scope(&self) -> Option<ProxyScope> {
        Some(ProxyScope::Subnets)
    }

    fn apply(&self, state: &mut LedgerState, signer: NodeId) -> Result<Self::Outcome, Rejection> {
        let Self { netuid, node } = *self;
        owned(state, node, signer)?;
        let height = state.height;
        let subnet = state.subnets.get(&netuid).ok_or(SubnetRejection::NoSuchSubnet { netuid })?;
        let uid = subnet.uid_of(&node).ok_or(WeightsRejection::NotThere { netuid })?;
        if subnet.owner_node == Some(node) {
            return Err(NodeRejection::NodeInUse { node, because: NodeUse::Slot(netuid) }.into());
        }
        let subnet = state.subnets.get_mut(&netuid).ok_or(SubnetRejection::NoSuchSubnet { netuid })?;
        let former = subnet.place(Neuron::vacant(height), uid);
        let returned = former.as_ref().map_or(Amount::ZERO, |former| former.deposit);
        former.iter().for_each(|former| state.give_slot_back(former));
        Ok(DeregisterNeuronOutcome { netuid, uid, node, returned })
    }

    fn description(outcome: &Self::Outcome) -> Description {
        let DeregisterNeuronOutcome { netuid, uid, node, returned } = outcome;
        Description {
            future: format!(
                "takes {node} out of slot {uid} of subnet {netuid} and gives {returned} tokens of deposit back; what was \
                 burned for the slot is lost"
            ),
            past: format!(
                "{node} has left slot {uid} of subnet {netuid}, and {returned} tokens of deposit are given back"
            ),
        }
    }

    fn hint(&self, rejection: &Rejection) -> &'static str {
        match rejection {
            Rejection::Node(NodeRejection::NodeInUse { .. }) => {
                "the node of a subnet's owner keeps its slot as long as the subnet exists"
            }
            other => other.hint(),
        }
    }

    #[cfg(test)]
    fn sample() -> super::Sample<Self> {
        use super::sample::{AMOUNT, NETUID, UID, node};
        super::Sample {
            call: Self { netuid: NETUID, node: node() },
            call_hash: "1ad6ceb257fa9baec205d826c9e97bcf284394c0b24aeb0104e6b32819545a4f",
            outcome: DeregisterNeuronOutcome { netuid: NETUID, uid: UID, node: node(), returned: AMOUNT },
            outcome_hash: "d45de601f06a8cef02b6e72c00675472e5dd4afdae078e3c4f5dbf827f6b53ed",
            future: "takes NODE out of slot 5 of subnet 3 and gives 1.5 tokens of deposit back; what was burned for the slot is lost",
            past: "NODE has left slot 5 of subnet 3, and 1.5 tokens of deposit are given back",
        }
    }
}
