//! Paying somebody.

use nervure_primitives::{Amount, NodeId};
use serde::{Deserialize, Serialize};

use super::{Outcome, Refusal};
use crate::state::State;

/// Pays `amount` to `to`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Transfer {
    /// Who is paid.
    pub to: NodeId,
    /// How much.
    pub amount: Amount,
}

impl Transfer {
    pub(super) fn apply(&self, state: &mut State, signer: NodeId) -> Result<Outcome, Refusal> {
        let Self { to, amount } = *self;
        if amount.is_zero() {
            return Err(Refusal::Nothing);
        }
        if !state.accounts.debit(&signer, amount.base_units()) {
            return Err(Refusal::Balance { needed: amount });
        }
        state.accounts.credit(to, amount.base_units());
        Ok(Outcome::Transferred { to, amount })
    }
}
