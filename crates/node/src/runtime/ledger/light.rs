//! Transactions of a client without a state: peers take them, and a proof shows that they are in a block.
//!
//! What a transaction would do cannot be tried without a state, so that a dry run checks the signature, the nonce and the
//! balance only. What it did is what most of the asked peers say; that its nonce is used is proven.

use nervure_api::{ServiceError, TransactionState, TransactionView};
use nervure_ledger::{
    event::Event,
    transaction::{self, SignedTransaction, SignerKey, Transaction},
    tree::{Key, Record},
};
use nervure_primitives::{
    Envelope, Hash,
    cbor::{self, Limits},
};

use super::{refused, settled, waiting};
use crate::runtime::light::{LightHandle, Submitted};

/// Largest encoding of an event that a peer sends: a call and its outcome.
const MAX_EVENT_LEN: usize = 2 * transaction::MAX_LEN;

/// Hands a transaction to peers, or with `dry_run` checks what can be checked without a state.
pub(super) async fn submit(
    light: &LightHandle,
    envelope: Envelope,
    dry_run: bool,
) -> Result<TransactionView, ServiceError> {
    let signed = SignedTransaction::verify(envelope, &light.mesh());
    let checked = signed.checked();
    let Ok(Transaction { nonce, fee, call, .. }) = checked.transaction() else {
        return Err(refused("it is no transaction of this mesh".into()));
    };
    if dry_run && call.signer() == SignerKey::Node && fee.is_zero() {
        return Err(refused("whether it is free for this node cannot be tried without a state".into()));
    }
    let key = match call.signer() {
        SignerKey::Owner => Key::Account(checked.signer()),
        SignerKey::Node => Key::Node(checked.signer()),
    };
    let submitted = Submitted { key, nonce: *nonce };
    let head = light.head().await?;
    let record = light.facts(&head.header, &[key]).await?.pop().and_then(|(_, record)| record);
    if let Some(Record::Account { account, .. }) = &record
        && account.balance < *fee
    {
        return Err(refused(format!("the account has {} tokens, less than the fee", account.balance)));
    }
    if record.is_none() {
        return Err(refused(format!("{key} is not in the state of block {}", head.height())));
    }
    let id = checked.id();
    if dry_run {
        return Ok(TransactionView { state: TransactionState::Possible, ..waiting(id) });
    }
    let bytes = signed.envelope().encode().map_err(|error| refused(error.to_string()))?;
    match light.submit(bytes).await? {
        Ok(()) => {
            light.remember(id, submitted);
            Ok(waiting(id))
        }
        Err(reason) => Err(refused(reason)),
    }
}

/// What became of a transaction that this client submitted. It counts as settled only when its nonce is proven to be used.
pub(super) async fn transaction(light: &LightHandle, id: Hash) -> Result<TransactionView, ServiceError> {
    let Some((height, bytes)) = light.outcome(id).await else { return Ok(waiting(id)) };
    let event: Option<Event> = cbor::decode(&bytes, Limits::new(MAX_EVENT_LEN)).ok();
    let is_this = |event: &Event| match event {
        Event::Applied { id: of, .. } | Event::Rejected { id: of, .. } => *of == id,
        Event::Epoch { .. }
        | Event::EpochFailed { .. }
        | Event::ValidatorJailed { .. }
        | Event::ValidatorRemoved { .. }
        | Event::ProposalCounted { .. }
        | Event::ProposalDone { .. }
        | Event::ProposalFailed { .. } => false,
    };
    let Some(event) = event.filter(is_this) else { return Ok(waiting(id)) };
    let head = light.head().await?;
    let Some(Submitted { key, nonce }) = light.submitted(&id).filter(|_| head.height() >= height) else {
        return Ok(waiting(id));
    };
    let record = light.facts(&head.header, &[key]).await?.pop().and_then(|(_, record)| record);
    let is_used = match record {
        Some(Record::Account { account, .. }) => account.nonce > nonce,
        Some(Record::Node { nonce: next, .. }) => next > nonce,
        // It was there when the transaction was submitted: the account is empty now, or the node has gone.
        _ => true,
    };
    Ok(if is_used { settled(id, height, event) } else { waiting(id) })
}
