//! The mempool: transactions that are pending.
//!
//! It accepts transactions that could be in a block soon: signed for this mesh, with a nonce near the signer's next, a fee
//! that covers their weight now, and a payer that can pay all of its pending ones together. They are ranked by what the
//! proposer would get for a unit of weight now, not by what they offer at most. The proposer takes the best first, those
//! of one signer in the order of their nonces; a quarter of a crowded block goes by age.
//!
//! What a hostile signer can do: fill the places of its payer ([`MAX_PER_PAYER`]) with transactions that it will have paid
//! for when they are gone, at a base fee that rises with every full block. What it cannot: take others' places, except
//! by a higher tip; hold a place with an offer that is never paid; use the places of validators' free transactions, which
//! are separate ([`MAX_LANE_TRANSACTIONS`]) and ranked by the stake behind the validator; or make the mempool grow beyond
//! [`MAX_TRANSACTIONS`] and [`MAX_BYTES`]. A free transaction is not replaced by another free one: it would cost nothing,
//! and every peer would gossip it.

mod error;
mod pending;
mod queues;
mod selection;
mod share;
mod standing;

use std::cmp::Reverse;

use nervure_primitives::{Amount, Envelope, Hash, NodeId};

use crate::{
    state::LedgerState,
    transaction::{InclusionRejection, Rejection, SignedTransaction, SignerKey},
};

pub use error::MempoolError;
use pending::{PendingTransaction, Sequence};
use queues::Queues;

/// How far the nonce of a transaction that pays may be ahead of the signer's next.
pub const MAX_NONCE_GAP: u64 = 16;

/// The same for free transactions: a validator sends one for each of its subnets at a time.
pub const MAX_LANE_NONCE_GAP: u64 = 64;

/// Pending transactions of one payer: its own, and those that its nodes do not send for free.
pub const MAX_PER_PAYER: usize = 64;

/// Bytes of them.
pub const MAX_BYTES_PER_PAYER: usize = 128 << 10;

/// Pending transactions that pay.
pub const MAX_TRANSACTIONS: usize = 10_000;

/// Bytes of all pending transactions that pay.
pub const MAX_BYTES: usize = 16 << 20;

/// Pending free transactions of validators.
pub const MAX_LANE_TRANSACTIONS: usize = 4_096;

/// Bytes of them.
pub const MAX_LANE_BYTES: usize = 8 << 20;

/// By how many percent a replacement has to pay more.
const MIN_REPLACE_PERCENT: u64 = 10;

/// Pending transactions, by signer and nonce.
#[derive(Debug, Default)]
pub struct Mempool {
    queues: Queues,
    /// How many transactions were accepted so far: of equals, the earlier goes first.
    arrivals: u64,
}

impl Mempool {
    /// Number of pending transactions.
    pub fn len(&self) -> usize {
        self.queues.len()
    }

    /// Whether the transaction with this id is pending.
    pub fn contains(&self, id: &Hash) -> bool {
        self.queues.contains(id)
    }

    /// Whether none is pending.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The nonce after the pending ones of `signer` without a gap, and at least that of the ledger, `next`.
    pub fn next_nonce(&self, key: SignerKey, signer: NodeId, next: u64) -> u64 {
        let queue = self.queues.of(&Sequence { key, signer });
        let is_there = |nonce: &u64| queue.is_some_and(|queue| queue.contains_key(nonce));
        (next..).find(|nonce| !is_there(nonce)).unwrap_or(next)
    }

    /// What is pending of `signer`, in the order of the nonces.
    pub fn of_signer(&self, key: SignerKey, signer: NodeId) -> impl Iterator<Item = &SignedTransaction> {
        let queue = self.queues.of(&Sequence { key, signer });
        queue.into_iter().flat_map(|queue| queue.values().map(|one| &one.signed))
    }

    /// The least tip for [`WEIGHT_UNIT`](crate::economics::base_fee::WEIGHT_UNIT) units of weight that would be in the
    /// next block, in base units: 0 unless more waits than a block has room for.
    pub fn going_tip(&self, state: &LedgerState) -> u64 {
        self.queues.going_tip(state.limit.paid)
    }

    /// Verifies and adds a transaction that could be in a block after `state`.
    ///
    /// # Errors
    /// When it could not, or there is no room for it. Nothing changes then.
    pub fn insert(&mut self, envelope: Envelope, state: &LedgerState) -> Result<Hash, MempoolError> {
        // Before the signature: gossip brings the same transaction from several peers.
        if self.contains(&envelope.id()) {
            return Err(MempoolError::Known);
        }
        self.insert_verified(SignedTransaction::verify(envelope, &state.mesh()), state)
    }

    /// [`Self::insert`] of a transaction whose signature is verified already.
    ///
    /// # Errors
    /// See [`Self::insert`].
    pub fn insert_verified(
        &mut self,
        signed: SignedTransaction,
        state: &LedgerState,
    ) -> Result<Hash, MempoolError> {
        let id = signed.checked.id();
        if self.contains(&id) {
            return Err(MempoolError::Known);
        }
        let mut new = PendingTransaction::new(signed, self.arrivals, state)?;
        if !new.is_payable() {
            return Err(Rejection::from(InclusionRejection::Fee {
                least: Amount::from_base_units(new.base_cost(state)),
            })
            .into());
        }
        new.check_gap()?;
        let replaced = self.queues.get(&new.sequence(), new.nonce());
        if let Some(old) = replaced {
            may_replace(old, &new)?;
            // An offer too low for any block waits in no line.
            new.since = if old.is_payable() { old.since } else { new.since };
        }
        self.queues.check_share(&new, replaced, state)?;
        let evicted = self.queues.room_for(&new, replaced)?;
        // Decided: from here on nothing fails.
        self.queues.remove(&new.sequence(), new.nonce());
        evicted.iter().for_each(|place| self.queues.remove(&place.sequence, place.nonce));
        self.queues.add(new);
        self.arrivals += 1;
        Ok(id)
    }

    /// Transactions for the block after `state`, as many as it has room for: the free ones of validators and those that
    /// pay most for their weight; of a block that is crowded, a quarter goes to those that have waited longest.
    pub(crate) fn candidates(&self, state: &LedgerState) -> Vec<SignedTransaction> {
        selection::best(&self.queues, state)
    }

    /// Drops the transactions that can no longer be in a block after `state` (applied, replaced, expired, or not covered
    /// by what their payer has left), and ranks the others by the base fee now.
    pub fn update(&mut self, state: &LedgerState) {
        let mut all: Vec<PendingTransaction> = std::mem::take(&mut self.queues).into_transactions();
        // Lower nonces first: what a payer has left covers those that have to go first.
        all.sort_by_key(|one| (one.depth(), one.arrival));
        for old in all {
            let Ok(one) = PendingTransaction::new(old.signed, old.arrival, state) else { continue };
            let one = PendingTransaction { since: old.since, ..one };
            if self.queues.check_share(&one, None, state).is_ok() {
                self.queues.add(one);
            }
        }
    }
}

/// Refuses a replacement that does not pay enough more. The tip counts too: a higher limit alone costs its sender nothing.
fn may_replace(old: &PendingTransaction, new: &PendingTransaction) -> Result<(), MempoolError> {
    if old.is_free() && new.is_free() {
        return Err(MempoolError::Known);
    }
    let raised =
        |amount: u64| amount.saturating_add((amount / 100).saturating_mul(MIN_REPLACE_PERCENT).max(1));
    let (old, new) = (&old.transaction, &new.transaction);
    let (fee, tip) = (raised(old.fee.base_units()), raised(old.tip.base_units()));
    match new.fee.base_units() >= fee && new.tip.base_units() >= tip {
        true => Ok(()),
        false => Err(MempoolError::Underpriced {
            fee: Amount::from_base_units(fee),
            tip: Amount::from_base_units(tip),
        }),
    }
}

/// Where a transaction stands among those that wait: the least is evicted first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    /// Of one that pays, the least tip for a unit of weight in its queue up to it; of a free one, the stake behind its
    /// validator. None when it cannot be in the next block: its base fee is too high now, or an earlier nonce is missing.
    value: Option<u64>,
    /// Nonces before it in its queue: the later ones need the earlier ones.
    depth: Reverse<u64>,
    /// Of equals, the earlier stays: an order by key could be ground.
    arrival: Reverse<u64>,
    sequence: Sequence,
    nonce: u64,
}

#[cfg(test)]
mod tests;
