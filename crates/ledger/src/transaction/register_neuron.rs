//! Taking a slot in a subnet.

use nervure_primitives::{Amount, BlockHeight, Netuid, NodeId, Uid};
use serde::{Deserialize, Serialize};

use super::{
    Description, Rejection, SignerKey, SubnetRejection, TransactionKind, kind::deposited, swap_key::owned,
    weight,
};
use crate::{deposits::RecordKind, proxies::ProxyScope, state::LedgerState, subnet::Neuron};

/// Burns the price of a slot and puts a node of the signer into it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegisterNeuron {
    /// The subnet.
    pub netuid: Netuid,
    /// The node.
    pub node: NodeId,
    /// The most that the signer would pay; anything when absent.
    pub max_price: Option<Amount>,
}

/// A node that has a slot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RegisterNeuronOutcome {
    /// The subnet.
    pub netuid: Netuid,
    /// The slot.
    pub uid: Uid,
    /// What it burned.
    pub price: Amount,
    /// The node that lost the slot.
    pub replaced: Option<NodeId>,
    /// What is deposited for the slot.
    #[serde(default)]
    pub deposit: Amount,
}

impl TransactionKind for RegisterNeuron {
    type Outcome = RegisterNeuronOutcome;

    const SIGNER: SignerKey = SignerKey::Owner;

    fn weight(&self) -> u64 {
        weight::REGISTER_NEURON
    }

    fn spends(&self, state: &LedgerState) -> u64 {
        let price = state.subnets.get(&self.netuid).map_or(0, |subnet| subnet.price);
        price.saturating_add(state.params.deposit(RecordKind::Neuron))
    }

    fn scope(&self) -> Option<ProxyScope> {
        Some(ProxyScope::Subnets)
    }

    fn apply(&self, state: &mut LedgerState, signer: NodeId) -> Result<Self::Outcome, Rejection> {
        let Self { netuid, node, max_price } = *self;
        owned(state, node, signer)?;
        let height = state.height;
        let stake_blocks = state.nodes.get(&node).map_or(0, |node| node.stake_blocks(height));
        let subnet = state.subnets.get(&netuid).ok_or(SubnetRejection::NoSuchSubnet { netuid })?;
        if subnet.uid_of(&node).is_some() {
            return Err(SubnetRejection::AlreadyThere { node, netuid }.into());
        }
        if !subnet.hyperparameters.registrations {
            return Err(SubnetRejection::Closed { netuid }.into());
        }
        let price = Amount::from_base_units(subnet.price);
        if max_price.is_some_and(|most| price > most) {
            return Err(SubnetRejection::Price { price }.into());
        }
        let registrations = subnet.registrations.with_one(height, &state.params).map_err(|from| {
            let most = state.params.max_registrations;
            Rejection::from(SubnetRejection::TooManyRegistrations { netuid, most, from: BlockHeight(from) })
        })?;
        let uid =
            subnet.slot_for_newcomer(&state.params, height).ok_or(SubnetRejection::NoSlot { netuid })?;
        // The last check that can fail: everything behind it changes the state.
        let deposit = Amount::from_base_units(state.params.deposit(RecordKind::Neuron));
        state.spend(&signer, price.base_units().saturating_add(deposit.base_units()))?;
        let after = state.params.burn.after_registration(price.base_units());
        let neuron = Neuron { deposit, ..Neuron::new(node, height, stake_blocks) };
        let former = state.subnets.get_mut(&netuid).and_then(|subnet| {
            (subnet.registrations, subnet.price) = (registrations, after);
            subnet.place(neuron, uid)
        });
        let replaced = former.as_ref().filter(|former| !former.is_vacant()).map(|former| former.node);
        former.iter().for_each(|former| state.give_slot_back(former));
        // Burned, and not paid to the subnet's owner, who could otherwise register for free.
        state.recycle(price.base_units());
        Ok(RegisterNeuronOutcome { netuid, uid, price, replaced, deposit })
    }

    fn description(outcome: &Self::Outcome) -> Description {
        let RegisterNeuronOutcome { netuid, uid, price, replaced, deposit } = outcome;
        let loses = replaced.map(|former| format!("; {former} loses it")).unwrap_or_default();
        let from = loses + &deposited(*deposit, "when the node loses or leaves the slot");
        Description {
            future: format!("takes slot {uid} of subnet {netuid} and burns {price} tokens{from}"),
            past: format!("slot {uid} of subnet {netuid} is taken, {price} tokens are burned{from}"),
        }
    }

    fn hint(&self, rejection: &Rejection) -> &'static str {
        match rejection {
            Rejection::Subnet(SubnetRejection::Price { .. }) => {
                "raise --max-price, or wait: the price falls with every block"
            }
            other => other.hint(),
        }
    }

    #[cfg(test)]
    fn sample() -> super::Sample<Self> {
        use super::sample::{AMOUNT, NETUID, UID, node, other};
        super::Sample {
            call: Self { netuid: NETUID, node: node(), max_price: Some(AMOUNT) },
            call_hash: "05d41f5b4d25b5de80692698a4e8e76d926859cfbdf0d003361a17809e7c563d",
            outcome: RegisterNeuronOutcome {
                netuid: NETUID,
                uid: UID,
                price: AMOUNT,
                replaced: Some(other()),
                deposit: AMOUNT,
            },
            outcome_hash: "db33573eeab5d58038432c031327171d3623d4a16a22fc97d1f908629d428ce1",
            future: "takes slot 5 of subnet 3 and burns 1.5 tokens; OTHER loses it; 1.5 tokens are deposited and come back when the node loses or leaves the slot",
            past: "slot 5 of subnet 3 is taken, 1.5 tokens are burned; OTHER loses it; 1.5 tokens are deposited and come back when the node loses or leaves the slot",
        }
    }
}
