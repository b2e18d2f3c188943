//! A call of a threshold account.
//!
//! Anyone may send it, and pays for it. Its approvals are verified where the sender's signature is, before and apart from
//! the state. The account's own nonce makes it happen once; it is used only when the call takes effect, so that a call
//! that is rejected can be sent again until its approvals expire or another call uses the nonce.

use nervure_primitives::{BlockHeight, MeshId, NodeId};
use serde::{Deserialize, Serialize};

use super::{
    Call, CallRejection, Description, FormError, Outcome, Rank, Rejection, SignerKey, TransactionKind,
    form::check_inner, weight,
};
use crate::{
    multisig::{Approval, ApprovedCall, MultisigAccount},
    state::LedgerState,
};

/// Does `call` for a threshold account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MultisigCall {
    /// The account.
    pub account: MultisigAccount,
    /// The account's next nonce.
    pub nonce: u64,
    /// The last block at which the approvals hold.
    pub expiry: BlockHeight,
    /// What the account does.
    pub call: Box<Call>,
    /// As many approvals as the threshold, in the order of the members.
    pub approvals: Vec<Approval>,
}

/// What a threshold account did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MultisigOutcome {
    /// The account.
    pub account: NodeId,
    /// What its call did.
    pub outcome: Box<Outcome>,
}

impl MultisigCall {
    /// What its members approve.
    pub fn approved(&self) -> ApprovedCall<'_> {
        let Self { account, nonce, expiry, call, .. } = self;
        ApprovedCall { account: account.id(), nonce: *nonce, expiry: *expiry, call }
    }

    /// Refuses an account or a call that cannot be, whatever is approved: before a member signs it.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check_call(&self, mesh: &MeshId) -> Result<(), FormError> {
        self.account.check()?;
        check_inner(Self::RANK, &self.call, mesh)
    }
}

impl TransactionKind for MultisigCall {
    type Outcome = MultisigOutcome;

    const SIGNER: SignerKey = SignerKey::Owner;

    const RANK: Rank = Rank::Multisig;

    fn weight(&self) -> u64 {
        let approvals = weight::each(weight::APPROVAL, self.approvals.len());
        weight::MULTISIG_CALL.saturating_add(approvals).saturating_add(self.call.weight())
    }

    fn inside(&self) -> &[Call] {
        std::slice::from_ref(self.call.as_ref())
    }

    fn check(&self, mesh: &MeshId) -> Result<(), FormError> {
        // Before the signatures, which are the most work.
        self.check_call(mesh)?;
        self.account.verify(&self.approved(), &self.approvals, mesh)
    }

    fn signatures(&self) -> usize {
        self.approvals.len()
    }

    fn apply(&self, state: &mut LedgerState, _: NodeId) -> Result<Self::Outcome, Rejection> {
        if self.expiry.0 < state.height {
            return Err(CallRejection::ApprovalsExpired { expiry: self.expiry }.into());
        }
        let account = self.account.id();
        let expected = state.accounts.get(&account).nonce;
        if self.nonce != expected {
            return Err(CallRejection::MultisigNonce { expected, given: self.nonce }.into());
        }
        // First, so that an account that the call closes, or that has no tokens, does not begin with this nonce again.
        let before = state.clone();
        state.accounts.advance_nonce(account);
        match self.call.apply(state, account) {
            Ok(outcome) => {
                state.reap(&account);
                Ok(MultisigOutcome { account, outcome: outcome.into() })
            }
            Err(rejection) => {
                *state = before;
                Err(rejection)
            }
        }
    }

    fn description(outcome: &Self::Outcome) -> Description {
        let MultisigOutcome { account, outcome } = outcome;
        let Description { future, past } = outcome.description();
        let by = format!("for the threshold account {account}");
        Description { future: format!("{future}, {by}"), past: format!("{past}, {by}") }
    }

    fn intent(&self) -> Option<String> {
        Some(format!("{}, for the threshold account {}", self.call.intent(), self.account.id()))
    }

    fn hint(&self, rejection: &Rejection) -> &'static str {
        match rejection {
            Rejection::Call(CallRejection::MultisigNonce { .. } | CallRejection::ApprovalsExpired { .. }) => {
                rejection.hint()
            }
            inner => self.call.hint(inner),
        }
    }

    #[cfg(test)]
    fn sample() -> super::Sample<Self> {
        use super::{
            Transfer, TransferOutcome,
            sample::{AMOUNT, BLOCK, node, other, team, team_approvals},
        };
        let transfer = Call::Transfer(Transfer { to: node(), amount: AMOUNT, memo: None });
        let mut call =
            Self { account: team(), nonce: 4, expiry: BLOCK, call: transfer.into(), approvals: vec![] };
        call.approvals = team_approvals(&call.approved());
        let paid = Outcome::Transferred(TransferOutcome { to: node(), amount: AMOUNT, memo: None });
        super::Sample {
            call,
            call_hash: "cc1e93605ce8841b32f35eab0044deb1cc6b7f7b2baa3cc6f320eef0aeac8aaa",
            outcome: MultisigOutcome { account: other(), outcome: paid.into() },
            outcome_hash: "103d30fd3634e2fa74e4fb39b6085ed901dd14354b5aa27991cb404e8bd9e420",
            future: "pays 1.5 tokens to NODE, for the threshold account OTHER",
            past: "paid 1.5 tokens to NODE, for the threshold account OTHER",
        }
    }
}
