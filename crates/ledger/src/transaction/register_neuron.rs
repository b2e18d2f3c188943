//! Taking a slot in a subnet.

use nervure_primitives::{Amount, Netuid, NodeId};
use serde::{Deserialize, Serialize};

use super::{Outcome, Rejection, swap_key::owned};
use crate::state::LedgerState;

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

impl RegisterNeuron {
    pub(super) fn apply(&self, state: &mut LedgerState, signer: NodeId) -> Result<Outcome, Rejection> {
        let Self { netuid, node, max_price } = *self;
        owned(state, node, signer)?;
        let height = state.height;
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
        let uid = subnet.slot_for_newcomer(&state.params, height).ok_or(Rejection::NoSlot { netuid })?;
        if !state.accounts.debit(&signer, price.base_units()) {
            return Err(Rejection::Balance { needed: price });
        }
        let replaced = subnet.place(node, uid, height);
        subnet.price = state.params.burn.after_registration(subnet.price);
        state.recycle(price.base_units());
        Ok(Outcome::NeuronRegistered { netuid, uid, price, replaced })
    }
}
