//! Transferring tokens.
//!
//! A transfer makes the account of its recipient, if that gets at least the existential deposit. It leaves its signer at
//! least as much, or nothing: [`Transfer::ALL`] closes the account.

use nervure_primitives::{Amount, NodeId, UntrustedText};
use serde::{Deserialize, Serialize};

use super::{Description, FundsRejection, Rejection, SignerKey, TransactionKind, weight};
use crate::{proxies::ProxyScope, state::LedgerState};

/// Longest memo in bytes: an invoice number, or the customer number that an exchange asks for.
pub const MAX_MEMO_BYTES: usize = 64;

/// A note on a transfer, which everyone can read: it is shown escaped.
pub type Memo = UntrustedText<MAX_MEMO_BYTES>;

/// Pays `amount` to `to`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Transfer {
    /// Who is paid.
    pub to: NodeId,
    /// How much, or [`Transfer::ALL`].
    pub amount: Amount,
    /// A note for the recipient. The ledger keeps it in the block only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memo: Option<Memo>,
}

impl Transfer {
    /// The amount that transfers all that the fee leaves, and closes the account: what that is is only known in the block,
    /// whose base fee moves.
    pub const ALL: Amount = Amount::from_base_units(u64::MAX);
}

/// A transfer that was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TransferOutcome {
    /// Who is paid.
    pub to: NodeId,
    /// How much.
    pub amount: Amount,
    /// The sender's note for the recipient.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub memo: Option<Memo>,
}

/// The memo in words; nothing without one.
fn with_memo(memo: Option<&Memo>) -> String {
    memo.map_or_else(String::new, |memo| format!(", with the memo \"{memo}\""))
}

impl TransactionKind for Transfer {
    type Outcome = TransferOutcome;

    const SIGNER: SignerKey = SignerKey::Owner;

    fn weight(&self) -> u64 {
        weight::TRANSFER
    }

    fn spends(&self, _: &LedgerState) -> u64 {
        // Of all, the fee is all that can be reserved.
        if self.closes_account() { 0 } else { self.amount.base_units() }
    }

    fn closes_account(&self) -> bool {
        self.amount == Self::ALL
    }

    fn scope(&self) -> Option<ProxyScope> {
        Some(ProxyScope::Transfers)
    }

    fn apply(&self, state: &mut LedgerState, signer: NodeId) -> Result<Self::Outcome, Rejection> {
        let Self { to, mut amount, ref memo } = *self;
        if self.closes_account() {
            amount = state.accounts.get(&signer).balance;
        }
        if amount.is_zero() {
            return Err(FundsRejection::Nothing.into());
        }
        let least = Amount::from_base_units(state.params.existential_deposit());
        // A transfer of all to oneself closes the account before it is paid.
        let makes_account = !state.accounts.exists(&to) || (to == signer && self.closes_account());
        if makes_account && amount < least {
            return Err(FundsRejection::AccountTooSmall { least }.into());
        }
        state.spend(&signer, amount.base_units())?;
        state.credit(to, amount.base_units());
        Ok(TransferOutcome { to, amount, memo: memo.clone() })
    }

    fn description(outcome: &Self::Outcome) -> Description {
        let TransferOutcome { to, amount, memo } = outcome;
        let memo = with_memo(memo.as_ref());
        Description {
            future: format!("pays {amount} tokens to {to}{memo}"),
            past: format!("paid {amount} tokens to {to}{memo}"),
        }
    }

    fn hint(&self, rejection: &Rejection) -> &'static str {
        match rejection {
            Rejection::Funds(FundsRejection::RestTooSmall { .. }) => {
                "send less, or close the account: nervure wallet send TO all"
            }
            other => other.hint(),
        }
    }

    fn intent(&self) -> Option<String> {
        let Self { to, amount, memo } = self;
        Some(format!("pays {amount} tokens to {to}{}", with_memo(memo.as_ref())))
    }

    #[cfg(test)]
    fn sample() -> super::Sample<Self> {
        use super::sample::{AMOUNT, node};
        super::Sample {
            call: Self { to: node(), amount: AMOUNT, memo: None },
            call_hash: "86b00184320321731f6638ded7ae260f80f0d707fe14066752602772ea06a525",
            outcome: TransferOutcome { to: node(), amount: AMOUNT, memo: None },
            outcome_hash: "8eb8717ae4add2a2391248a131b46aed481cbfc502fe78c7f7e93475a48d11de",
            future: "pays 1.5 tokens to NODE",
            past: "paid 1.5 tokens to NODE",
        }
    }
}
