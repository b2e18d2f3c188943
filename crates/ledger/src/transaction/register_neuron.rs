//! Taking a slot in a subnet.

use nervure_primitives::{Amount, BlockHeight, Netuid, NodeId, Uid};
use serde::{Deserialize, Serialize};

use super::{Description, Rejection, SignerKey, TransactionKind, swap_key::owned, weight};
use crate::{state::LedgerState, subnet::Neuron};

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
}

impl TransactionKind for RegisterNeuron {
    type Outcome = RegisterNeuronOutcome;

    const SIGNER: SignerKey = SignerKey::Owner;

    fn weight(&self) -> u64 {
        weight::REGISTER_NEURON
    }

    fn spends(&self, state: &LedgerState) -> u64 {
        state.subnets.get(&self.netuid).map_or(0, |subnet| subnet.price)
    }

    fn apply(&self, state: &mut LedgerState, signer: NodeId) -> Result<Self::Outcome, Rejection> {
        let Self { netuid, node, max_price } = *self;
        owned(state, node, signer)?;
        let height = state.height;
        let stake_blocks = state.nodes.get(&node).map_or(0, |node| node.stake_blocks(height));
        let subnet = state.subnets.get_mut(&netuid).ok_or(Rejection::NoSuchSubnet { netuid })?;
        if subnet.uid_of(&node).is_some() {
            return Err(Rejection::AlreadyThere { node, netuid });
        }
        if !subnet.hyperparameters.registrations {
            return Err(Rejection::Closed { netuid });
        }
        let price = Amount::from_base_units(subnet.price);
        if max_price.is_some_and(|most| price > most) {
            return Err(Rejection::Price { price });
        }
        let registrations = subnet.registrations.with_one(height, &state.params).map_err(|from| {
            let most = state.params.max_registrations;
            Rejection::TooManyRegistrations { netuid, most, from: BlockHeight(from) }
        })?;
        let uid = subnet.slot_for_newcomer(&state.params, height).ok_or(Rejection::NoSlot { netuid })?;
        // The last check that can fail: everything behind it changes the state.
        if !state.accounts.debit(&signer, price.base_units()) {
            return Err(Rejection::Balance { needed: price });
        }
        let replaced = subnet.place(Neuron::new(node, height, stake_blocks), uid);
        subnet.registrations = registrations;
        subnet.price = state.params.burn.after_registration(subnet.price);
        // Burned, and not paid to the subnet's owner, who could otherwise register for free.
        state.recycle(price.base_units());
        Ok(RegisterNeuronOutcome { netuid, uid, price, replaced })
    }

    fn description(outcome: &Self::Outcome) -> Description {
        let RegisterNeuronOutcome { netuid, uid, price, replaced } = outcome;
        let from = replaced.map(|former| format!("; {former} loses it")).unwrap_or_default();
        Description {
            future: format!("takes slot {uid} of subnet {netuid} and burns {price} tokens{from}"),
            past: format!("slot {uid} of subnet {netuid} is taken, {price} tokens are burned{from}"),
        }
    }

    fn hint(&self, rejection: &Rejection) -> &'static str {
        match rejection {
            Rejection::Price { .. } => "raise --max-price, or wait: the price falls with every block",
            other => other.hint(),
        }
    }
}
