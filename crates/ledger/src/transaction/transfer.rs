//! Transferring tokens.

use nervure_primitives::{Amount, NodeId};
use serde::{Deserialize, Serialize};

use super::{Description, Rejection, SignerKey, TransactionKind, weight};
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

/// A transfer that was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TransferOutcome {
    /// Who is paid.
    pub to: NodeId,
    /// How much.
    pub amount: Amount,
}

impl TransactionKind for Transfer {
    type Outcome = TransferOutcome;

    const SIGNER: SignerKey = SignerKey::Owner;

    fn weight(&self) -> u64 {
        weight::TRANSFER
    }

    fn spends(&self, _: &LedgerState) -> u64 {
        self.amount.base_units()
    }

    fn apply(&self, state: &mut LedgerState, signer: NodeId) -> Result<Self::Outcome, Rejection> {
        let Self { to, amount } = *self;
        if amount.is_zero() {
            return Err(Rejection::Nothing);
        }
        if !state.accounts.debit(&signer, amount.base_units()) {
            return Err(Rejection::Balance { needed: amount });
        }
        state.accounts.credit(to, amount.base_units());
        Ok(TransferOutcome { to, amount })
    }

    fn description(outcome: &Self::Outcome) -> Description {
        let TransferOutcome { to, amount } = outcome;
        Description {
            future: format!("pays {amount} tokens to {to}"),
            past: format!("paid {amount} tokens to {to}"),
        }
    }
}
