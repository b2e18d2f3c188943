//! Queries of the HTTP API to the ledger, answered from the last block.

#![deny(clippy::wildcard_enum_match_arm, clippy::match_wildcard_for_single_variants)]

mod proofs;
mod subnets;
mod validators;

use std::sync::Arc;

use nervure_api::{AccountView, ServiceError, TransactionState, TransactionView};
use nervure_ledger::{
    block::BlockContext,
    event::Event,
    mempool::MempoolError,
    transaction::{SignedTransaction, SignerKey},
};
use nervure_primitives::{Envelope, Hash, NodeId};

use super::{
    anchor::Anchoring,
    chain::{ChainHandle, SubmitError},
    clock, view,
};

/// Answers queries about the ledger.
pub(crate) struct LedgerQueries {
    /// The chain, where this node follows it.
    pub chain: Option<ChainHandle>,
    /// The anchoring, where this node follows the chain.
    pub anchoring: Option<Arc<Anchoring>>,
    /// The mesh's block time in milliseconds.
    pub block_milliseconds: u32,
}

impl LedgerQueries {
    fn chain(&self) -> Result<&ChainHandle, ServiceError> {
        let reason = "this node is an ephemeral client and follows no chain".into();
        self.chain.as_ref().ok_or(ServiceError::Unavailable { reason })
    }

    /// The account of an owner key.
    pub(crate) async fn account(&self, owner: NodeId) -> Result<AccountView, ServiceError> {
        let chain = self.chain()?;
        let nonce = chain.next_nonce(SignerKey::Owner, owner).await;
        let (tip, fees) = (chain.view().tip.clone(), view::fees(&chain.view()));
        let (state, accounts) = (&tip.state, tip.state.accounts());
        let account = accounts.get(&owner);
        Ok(AccountView {
            owner,
            balance: account.balance,
            // At least that of the ledger: a block may have come meanwhile.
            nonce: nonce.unwrap_or(0).max(account.nonce),
            unbonding: state.unbonding_of(&owner).collect(),
            stakes: state.nodes().stakes_of(owner).collect(),
            height: state.height(),
            fees,
            block_milliseconds: self.block_milliseconds,
        })
    }

    /// Submits a transaction, or with `dry_run` returns what it would do in the next block.
    pub(crate) async fn submit(
        &self,
        envelope: Envelope,
        dry_run: bool,
    ) -> Result<TransactionView, ServiceError> {
        let chain = self.chain()?;
        let tip = chain.view().tip.clone();
        let signed = SignedTransaction::verify(envelope, &tip.header.mesh);
        let context = BlockContext { time: clock::now(), ..BlockContext::default() };
        let trial = tip.state.try_transaction(&context, signed.checked()).map_err(|rejection| {
            let hint = signed.checked().hint(&rejection);
            ServiceError::Rejected { rejection, hint }
        })?;
        if dry_run {
            return Ok(TransactionView {
                state: TransactionState::Possible,
                outcome: Some(trial.outcome),
                paid: Some(trial.paid),
                ..waiting(signed.checked().id())
            });
        }
        let checked = signed.checked().clone();
        match chain.submit(signed).await {
            Ok(id) => Ok(waiting(id)),
            Err(SubmitError::Refused(MempoolError::Ledger(rejection))) => {
                let hint = checked.hint(&rejection);
                Err(ServiceError::Rejected { rejection, hint })
            }
            Err(SubmitError::Refused(refusal)) => Err(refused(refusal.to_string())),
            Err(error) => Err(ServiceError::Unavailable { reason: error.to_string() }),
        }
    }

    /// The state of a transaction.
    pub(crate) fn transaction(&self, id: Hash) -> Result<TransactionView, ServiceError> {
        let Some((height, event)) = self.chain()?.receipt_of(&id) else { return Ok(waiting(id)) };
        let height = Some(height);
        Ok(match event {
            Event::Applied { outcome, paid, .. } => TransactionView {
                state: TransactionState::Applied,
                height,
                paid: Some(paid),
                outcome: Some(outcome),
                ..waiting(id)
            },
            Event::Refused { refusal, paid, .. } => TransactionView {
                state: TransactionState::Rejected,
                height,
                paid: Some(paid),
                refusal: Some(refusal.to_string()),
                ..waiting(id)
            },
            Event::Epoch { .. }
            | Event::EpochFailed { .. }
            | Event::ValidatorJailed { .. }
            | Event::ValidatorRemoved { .. } => waiting(id),
        })
    }
}

fn waiting(id: Hash) -> TransactionView {
    TransactionView {
        id,
        state: TransactionState::Pending,
        height: None,
        paid: None,
        outcome: None,
        refusal: None,
    }
}

fn refused(message: String) -> ServiceError {
    ServiceError::InvalidRequest { field: "transaction".into(), message }
}
