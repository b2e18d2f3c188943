//! Queries of the HTTP API to the ledger, answered from the last block.

#![deny(clippy::wildcard_enum_match_arm, clippy::match_wildcard_for_single_variants)]

mod accounts;
mod light;
mod proofs;
mod proposals;
mod subnets;
mod validators;

pub(crate) use proofs::{ReadError, epoch_proof};

use std::sync::Arc;

use nervure_api::{ServiceError, TransactionState, TransactionView};
use nervure_ledger::{
    block::BlockContext, event::Event, mempool::MempoolError, transaction::SignedTransaction,
};
use nervure_primitives::{BlockHeight, Envelope, Hash};

use super::{
    anchor::Anchoring,
    chain::{ChainHandle, SubmitError},
    clock,
    light::LightHandle,
};

/// Answers queries about the ledger.
pub(crate) struct LedgerQueries {
    /// The chain, where this node follows it.
    pub chain: Option<ChainHandle>,
    /// The anchoring, where this node follows the chain.
    pub anchoring: Option<Arc<Anchoring>>,
    /// The client of others' proofs, where this node has no state.
    pub light: Option<LightHandle>,
    /// The mesh's block time in milliseconds.
    pub block_milliseconds: u32,
}

impl LedgerQueries {
    pub(crate) fn chain(&self) -> Result<&ChainHandle, ServiceError> {
        let reason = "this node is an ephemeral client and has no state".into();
        self.chain.as_ref().ok_or(ServiceError::Unavailable { reason })
    }

    /// Submits a transaction, or with `dry_run` returns what it would do in the next block.
    pub(crate) async fn submit(
        &self,
        envelope: Envelope,
        dry_run: bool,
    ) -> Result<TransactionView, ServiceError> {
        if let Some(light) = &self.light {
            return light::submit(light, envelope, dry_run).await;
        }
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
    pub(crate) async fn transaction(&self, id: Hash) -> Result<TransactionView, ServiceError> {
        match &self.light {
            Some(light) => light::transaction(light, id).await,
            None => Ok(match self.chain()?.receipt_of(&id) {
                Some((height, event)) => settled(id, height, event),
                None => waiting(id),
            }),
        }
    }
}

/// A transaction that is in a block.
fn settled(id: Hash, height: BlockHeight, event: Event) -> TransactionView {
    let height = Some(height);
    match event {
        Event::Applied { outcome, paid, .. } => TransactionView {
            state: TransactionState::Applied,
            height,
            paid: Some(paid),
            outcome: Some(outcome),
            ..waiting(id)
        },
        Event::Rejected { rejection, paid, .. } => TransactionView {
            state: TransactionState::Rejected,
            height,
            paid: Some(paid),
            rejection: Some(rejection.to_string()),
            ..waiting(id)
        },
        Event::Epoch { .. }
        | Event::EpochFailed { .. }
        | Event::ValidatorJailed { .. }
        | Event::ValidatorRemoved { .. }
        | Event::ProposalCounted { .. }
        | Event::ProposalDone { .. }
        | Event::ProposalFailed { .. } => waiting(id),
    }
}

fn waiting(id: Hash) -> TransactionView {
    TransactionView {
        id,
        state: TransactionState::Pending,
        height: None,
        paid: None,
        outcome: None,
        rejection: None,
    }
}

fn refused(message: String) -> ServiceError {
    ServiceError::InvalidRequest { field: "transaction".into(), message }
}
