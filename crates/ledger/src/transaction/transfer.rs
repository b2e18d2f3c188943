//! Transferring tokens.

use nervure_primitives::{Amount, NodeId};
use serde::{Deserialize, Serialize};

use super::{Outcome, Rejection};
use crate::state::LedgerState;

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
    pub(super) fn apply(&self, state: &mut LedgerState, signer: NodeId) -> Result<Outcome, Rejection> {
        let Self { to, amount } = *self;
        if amount.is_zero() {
            return Err(Rejection::Nothing);
        }
        if !state.accounts.debit(&signer, amount.base_units()) {
            return Err(Rejection::Balance { needed: amount });
        }
        state.accounts.credit(to, amount.base_units());
        Ok(Outcome::Transferred { to, amount })
    }
}
