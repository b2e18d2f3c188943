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
    transaction::{Checked, Rejection},
};
use nervure_primitives::{Amount, BlockHeight, Envelope, Hash, NodeId};

use super::{
    anchor::Anchoring,
    chain::{ChainHandle, SubmitError},
    clock,
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
    pub(crate) fn account(&self, owner: NodeId) -> Result<AccountView, ServiceError> {
        let tip = self.chain()?.view().tip.clone();
        let (state, accounts) = (&tip.state, tip.state.accounts());
        let account = accounts.get(&owner);
        Ok(AccountView {
            owner,
            balance: account.balance,
            nonce: account.nonce,
            unbonding: state.unbonding_of(&owner).collect(),
            stakes: state.nodes().stakes_of(owner).collect(),
            height: state.height(),
            min_fee: Amount::from_base_units(state.params().min_fee),
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
        let id = envelope.id();
        let tip = chain.view().tip.clone();
        let mut state = tip.state.clone();
        let checked = Checked::new(&envelope, &state.mesh());
        let trial = BlockContext { time: clock::now(), ..BlockContext::default() };
        let tried = state.advance(&trial, std::slice::from_ref(&checked));
        // A nonce that is too high may become valid. Every other rejection is final.
        match view(id, None, tried.into_iter().next()) {
            TrialResult::Applied(tried) if dry_run => {
                return Ok(TransactionView { state: TransactionState::Possible, ..tried });
            }
            TrialResult::Rejected(rejection) if dry_run || !matches!(rejection, Rejection::Nonce { .. }) => {
                let hint = checked.hint(&rejection);
                return Err(ServiceError::Rejected { rejection, hint });
            }
            TrialResult::Applied(_) | TrialResult::Rejected(_) | TrialResult::Unknown => {}
        }
        match chain.submit(envelope).await {
            Ok(id) => Ok(waiting(id)),
            Err(SubmitError::Refused(refusal)) => Err(refused(refusal.to_string())),
            Err(error) => Err(ServiceError::Unavailable { reason: error.to_string() }),
        }
    }

    /// The state of a transaction.
    pub(crate) fn transaction(&self, id: Hash) -> Result<TransactionView, ServiceError> {
        let Some((height, event)) = self.chain()?.receipt_of(&id) else { return Ok(waiting(id)) };
        Ok(match view(id, Some(height), Some(event)) {
            TrialResult::Applied(done) => done,
            TrialResult::Rejected(refusal) => TransactionView {
                state: TransactionState::Rejected,
                height: Some(height),
                refusal: Some(refusal.to_string()),
                ..waiting(id)
            },
            TrialResult::Unknown => waiting(id),
        })
    }
}

/// The outcome of a transaction, from its event.
enum TrialResult {
    Applied(TransactionView),
    Rejected(Rejection),
    Unknown,
}

fn view(id: Hash, height: Option<BlockHeight>, event: Option<Event>) -> TrialResult {
    match event {
        Some(Event::Applied { outcome, .. }) => TrialResult::Applied(TransactionView {
            state: TransactionState::Applied,
            height,
            outcome: Some(outcome),
            ..waiting(id)
        }),
        Some(Event::Refused { refusal, .. }) => TrialResult::Rejected(refusal),
        Some(
            Event::Epoch { .. }
            | Event::EpochFailed { .. }
            | Event::ValidatorJailed { .. }
            | Event::ValidatorRemoved { .. },
        )
        | None => TrialResult::Unknown,
    }
}

fn waiting(id: Hash) -> TransactionView {
    TransactionView { id, state: TransactionState::Pending, height: None, outcome: None, refusal: None }
}

fn refused(message: String) -> ServiceError {
    ServiceError::InvalidRequest { field: "transaction".into(), message }
}
