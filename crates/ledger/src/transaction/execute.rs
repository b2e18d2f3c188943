//! What holds for every transaction, whatever its kind: expiry, nonce, fee.

use nervure_primitives::{Amount, NodeId};

use super::{Checked, Outcome, Rejection, SignerKey, Transaction};
use crate::state::LedgerState;

/// Applies a transaction, or rejects it without a trace.
pub(crate) fn execute(state: &mut LedgerState, checked: &Checked) -> Result<Outcome, Rejection> {
    let transaction = checked.transaction.as_ref().map_err(Clone::clone)?;
    // Signatures were verified before, possibly for another state: a mistake of the caller stops here.
    if checked.mesh != state.mesh {
        return Err(Rejection::Malformed { why: "it was verified for another mesh".into() });
    }
    // The height is that of this block: a transaction can still be applied at its last valid height.
    if transaction.expiry.0 < state.height {
        return Err(Rejection::Expired { expiry: transaction.expiry });
    }
    match transaction.call.signer() {
        SignerKey::Node => by_node(state, checked.signer, transaction),
        SignerKey::Owner => by_owner(state, checked.signer, transaction),
    }
}

/// A transaction of a node key: it can move nothing, so it pays nothing either, and each kind has its
/// own limit on how often it can come.
fn by_node(state: &mut LedgerState, node: NodeId, transaction: &Transaction) -> Result<Outcome, Rejection> {
    let expected = state.nodes.get(&node).ok_or(Rejection::NoSuchNode { node })?.nonce;
    if transaction.nonce != expected {
        return Err(Rejection::Nonce { expected, given: transaction.nonce });
    }
    if !transaction.fee.is_zero() {
        return Err(Rejection::NodeFee);
    }
    // `apply` checks everything before it changes anything, so an error needs no rollback.
    let outcome = transaction.call.apply(state, node)?;
    // Only after success: a rejected transaction keeps its nonce and can be sent again until it expires.
    state.nodes.advance_nonce(&node);
    Ok(outcome)
}

/// A transaction of an owner key: it pays a fee.
fn by_owner(state: &mut LedgerState, owner: NodeId, transaction: &Transaction) -> Result<Outcome, Rejection> {
    let expected = state.accounts.get(&owner).nonce;
    if transaction.nonce != expected {
        return Err(Rejection::Nonce { expected, given: transaction.nonce });
    }
    let fee = transaction.fee.base_units();
    if fee < state.params.min_fee {
        return Err(Rejection::Fee { least: Amount::from_base_units(state.params.min_fee) });
    }
    // Taken first, so that the call cannot spend it; given back when the call is rejected.
    if !state.accounts.debit(&owner, fee) {
        return Err(Rejection::Balance { needed: transaction.fee });
    }
    let outcome = transaction.call.apply(state, owner);
    if outcome.is_ok() {
        // A fee goes to no validator: it lowers the issuance and can be minted again.
        state.recycle(fee);
        state.accounts.advance_nonce(owner);
    } else {
        state.accounts.credit(owner, fee);
    }
    outcome
}
