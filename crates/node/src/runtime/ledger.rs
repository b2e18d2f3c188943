//! What the node's users ask of the ledger, answered from the last block.

mod proofs;
mod subnets;

use std::sync::Arc;

use nervure_ledger::{
    event::Event,
    transaction::{Checked, Rejection},
};
use nervure_primitives::{Amount, BlockHeight, Envelope, Hash, NodeId};

use super::{
    anchor::Anchoring,
    chain::{ChainHandle, SubmitError},
};
use crate::service::{AccountView, ServiceError, TransactionState, TransactionView};

/// The ledger as this node knows it.
pub(crate) struct LedgerDesk {
    /// The chain, where this node follows it.
    pub chain: Option<ChainHandle>,
    /// What is anchored, where it follows the chain.
    pub anchoring: Option<Arc<Anchoring>>,
    /// Milliseconds from one block to the next, as the mesh means it.
    pub block_milliseconds: u32,
}

impl LedgerDesk {
    fn chain(&self) -> Result<&ChainHandle, ServiceError> {
        let reason = "this node lives for one command and follows no chain".into();
        self.chain.as_ref().ok_or(ServiceError::Unavailable { reason })
    }

    /// What an owner key holds.
    pub(crate) fn account(&self, owner: NodeId) -> Result<AccountView, ServiceError> {
        let tip = self.chain()?.view().tip.clone();
        let (state, accounts) = (&tip.state, tip.state.accounts());
        let account = accounts.get(&owner);
        let stake = |(key, stake): (&NodeId, Amount)| (!stake.is_zero()).then_some((*key, stake));
        let stakes = state.nodes().iter().map(|(key, node)| (key, node.stake_of(&owner)));
        Ok(AccountView {
            owner,
            balance: account.balance,
            nonce: account.nonce,
            unbonding: accounts
                .unbonding(&owner)
                .map(|(block, amount)| (BlockHeight(block), amount))
                .collect(),
            stakes: stakes.filter_map(stake).collect(),
            height: state.height(),
            min_fee: Amount::from_base_units(state.params().min_fee),
            block_milliseconds: self.block_milliseconds,
        })
    }

    /// Hands in a transaction, or says what it would do in the next block.
    pub(crate) async fn submit(
        &self,
        envelope: Envelope,
        dry_run: bool,
    ) -> Result<TransactionView, ServiceError> {
        let chain = self.chain()?;
        let id = envelope.id();
        let tip = chain.view().tip.clone();
        let mut state = tip.state.clone();
        let tried = state.advance(&[Checked::new(&envelope, &state.mesh())]);
        // What is not due yet may become possible; everything else that is refused now stays refused.
        match view(id, None, tried.into_iter().next()) {
            Tried::Done(tried) if dry_run => {
                return Ok(TransactionView { state: TransactionState::Possible, ..tried });
            }
            Tried::Refused(refusal) if dry_run || !matches!(refusal, Rejection::Nonce { .. }) => {
                return Err(ServiceError::Rejected(refusal));
            }
            _ => {}
        }
        match chain.submit(envelope).await {
            Ok(id) => Ok(waiting(id)),
            Err(SubmitError::Refused(refusal)) => Err(refused(refusal.to_string())),
            Err(error) => Err(ServiceError::Unavailable { reason: error.to_string() }),
        }
    }

    /// What became of a transaction.
    pub(crate) fn transaction(&self, id: Hash) -> Result<TransactionView, ServiceError> {
        let Some((height, event)) = self.chain()?.settled(&id) else { return Ok(waiting(id)) };
        Ok(match view(id, Some(height), Some(event)) {
            Tried::Done(done) => done,
            Tried::Refused(refusal) => TransactionView {
                state: TransactionState::Refused,
                height: Some(height),
                refusal: Some(refusal.to_string()),
                ..waiting(id)
            },
            Tried::Nothing => waiting(id),
        })
    }
}

/// What an event says of a transaction.
enum Tried {
    Done(TransactionView),
    Refused(Rejection),
    Nothing,
}

fn view(id: Hash, height: Option<BlockHeight>, event: Option<Event>) -> Tried {
    match event {
        Some(Event::Applied { outcome, .. }) => Tried::Done(TransactionView {
            state: TransactionState::Applied,
            height,
            outcome: Some(outcome),
            ..waiting(id)
        }),
        Some(Event::Refused { refusal, .. }) => Tried::Refused(refusal),
        _ => Tried::Nothing,
    }
}

fn waiting(id: Hash) -> TransactionView {
    TransactionView { id, state: TransactionState::Waiting, height: None, outcome: None, refusal: None }
}

fn refused(message: String) -> ServiceError {
    ServiceError::InvalidRequest { field: "transaction".into(), message }
}
