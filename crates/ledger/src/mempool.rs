//! The mempool: transactions that are pending.
//!
//! It accepts transactions that could be applied soon: signed for this mesh, with a nonce near the signer's
//! next, a sufficient fee, and a balance to pay it. The proposer takes them from it, the best fees first and
//! those of one signer in the order of their nonces.
//!
//! What a hostile signer can do: fill its own [`MAX_PER_SIGNER`] places, each with a fee that it can pay once.
//! What it cannot: take others' places, except by paying more than the least payer when the mempool is full,
//! or make it grow beyond [`MAX_TRANSACTIONS`] and [`MAX_BYTES`]. Transactions of node keys cost nothing, so that
//! their places are separate ([`MAX_FREE_TRANSACTIONS`]).

mod order;

use std::collections::{BTreeMap, BTreeSet};

use nervure_primitives::{Amount, Envelope, Hash, NodeId};

use crate::{
    state::LedgerState,
    transaction::{Checked, Rejection, SignerKey, Transaction},
};

/// Pending transactions of one signer.
pub const MAX_PER_SIGNER: usize = 16;

/// Pending transactions in all.
pub const MAX_TRANSACTIONS: usize = 10_000;

/// Bytes of all pending transactions.
pub const MAX_BYTES: usize = 16 << 20;

/// Pending transactions of node keys, which pay no fee.
pub const MAX_FREE_TRANSACTIONS: usize = 2_000;

/// By how many percent a replacement has to pay more.
const MIN_REPLACE_PERCENT: u64 = 10;

/// Why the mempool does not accept a transaction.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MempoolError {
    /// It is pending already.
    #[error("the transaction is already in the mempool")]
    Known,
    /// The ledger would reject it.
    #[error(transparent)]
    Ledger(#[from] Rejection),
    /// Its nonce is too far ahead of the signer's next.
    #[error("the nonce is {given}, more than {MAX_PER_SIGNER} ahead of the signer's next nonce, {expected}")]
    FarNonce {
        /// The signer's next nonce.
        expected: u64,
        /// The transaction's nonce.
        given: u64,
    },
    /// Another transaction with the same nonce is pending, and the fee is too low to replace it.
    #[error("another transaction with this nonce is pending: replacing it requires a fee of {least} tokens")]
    Underpriced {
        /// The fee that would replace it.
        least: Amount,
    },
    /// The mempool is full, and the fee is not above the lowest one in it.
    #[error("the mempool is full: a fee above {least} tokens is required")]
    Full {
        /// The lowest fee in the mempool.
        least: Amount,
    },
    /// Too many transactions of node keys are pending.
    #[error("the mempool has no room for transactions of node keys")]
    FullOfFree,
}

impl MempoolError {
    /// Whether the sender is at fault: it is not a transaction of this mesh at all.
    pub fn blames_sender(&self) -> bool {
        matches!(self, Self::Ledger(Rejection::Malformed { .. }))
    }
}

/// A pending transaction.
#[derive(Clone, Debug)]
struct PendingTransaction {
    id: Hash,
    envelope: Envelope,
    transaction: Transaction,
    bytes: usize,
}

impl PendingTransaction {
    fn fee(&self) -> u64 {
        self.transaction.fee.base_units()
    }

    fn is_free(&self) -> bool {
        self.transaction.call.signer() == SignerKey::Node
    }
}

/// The place of a transaction that pays. The order of the fields is the order in which places are lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct PayingPlace {
    fee: u64,
    signer: NodeId,
    nonce: u64,
}

/// Pending transactions, by signer and nonce.
#[derive(Debug, Default)]
pub struct Mempool {
    waiting: BTreeMap<NodeId, BTreeMap<u64, PendingTransaction>>,
    ids: BTreeSet<Hash>,
    /// Those that pay, the least fee first.
    by_fee: BTreeSet<PayingPlace>,
    bytes: usize,
    free: usize,
}

impl Mempool {
    /// Number of pending transactions.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether the transaction with this id is pending.
    pub fn contains(&self, id: &Hash) -> bool {
        self.ids.contains(id)
    }

    /// Whether none is pending.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// The nonce after the pending ones of `signer` without a gap, and at least `next`.
    pub fn next_nonce(&self, signer: &NodeId, next: u64) -> u64 {
        let waiting = self.waiting.get(signer);
        let is_there = |nonce: &u64| waiting.is_some_and(|waiting| waiting.contains_key(nonce));
        (next..).find(|nonce| !is_there(nonce)).unwrap_or(next)
    }

    /// Adds a transaction that could be applied after `state`.
    ///
    /// # Errors
    /// When it could not be applied, or there is no room for it. Nothing changes then.
    pub fn insert(&mut self, envelope: Envelope, state: &LedgerState) -> Result<Hash, MempoolError> {
        let id = envelope.id();
        // Before the signature: gossip brings the same transaction from several peers.
        if self.ids.contains(&id) {
            return Err(MempoolError::Known);
        }
        let checked = Checked::new(&envelope, &state.mesh());
        let transaction = checked.transaction?;
        let expected = plausible(&transaction, &checked.signer, state)?;
        let (signer, nonce) = (checked.signer, transaction.nonce);
        // Also bounds the places of a signer: nonces below `expected` are refused, so there are 16 at most.
        if nonce >= expected.saturating_add(MAX_PER_SIGNER as u64) {
            return Err(MempoolError::FarNonce { expected, given: nonce });
        }
        let bytes = envelope.body().len();
        let waiting = PendingTransaction { id, envelope, transaction, bytes };
        self.may_replace(&signer, &waiting)?;
        self.make_room(&waiting)?;
        self.remove(&signer, nonce);
        self.add(signer, waiting);
        Ok(id)
    }

    /// Transactions for the block after `state`: at most `count` with at most `bytes` in all.
    pub fn take(&self, state: &LedgerState, count: usize, bytes: usize) -> Vec<Envelope> {
        order::best(&self.waiting, state, count, bytes)
    }

    /// Drops the transactions that can no longer be applied after `state`: applied, replaced, or expired.
    pub fn update(&mut self, state: &LedgerState) {
        let gone: Vec<(NodeId, u64)> = self
            .waiting
            .iter()
            .flat_map(|(signer, waiting)| waiting.iter().map(move |(nonce, one)| (signer, nonce, one)))
            .filter(|(signer, _, one)| plausible(&one.transaction, signer, state).is_err())
            .map(|(signer, nonce, _)| (*signer, *nonce))
            .collect();
        gone.into_iter().for_each(|(signer, nonce)| self.remove(&signer, nonce));
    }

    /// Refuses a replacement whose fee is too low.
    fn may_replace(&self, signer: &NodeId, new: &PendingTransaction) -> Result<(), MempoolError> {
        let same = self.waiting.get(signer).and_then(|waiting| waiting.get(&new.transaction.nonce));
        let Some(old) = same else { return Ok(()) };
        // A replacement without a fee would cost its sender nothing, and every peer would gossip it.
        if old.is_free() {
            return Err(MempoolError::Known);
        }
        let least = old.fee().saturating_add((old.fee() / 100).saturating_mul(MIN_REPLACE_PERCENT).max(1));
        match new.fee() >= least {
            true => Ok(()),
            false => Err(MempoolError::Underpriced { least: Amount::from_base_units(least) }),
        }
    }

    /// Drops the least payers until there is room, if `new` pays more than they do.
    fn make_room(&mut self, new: &PendingTransaction) -> Result<(), MempoolError> {
        if new.is_free() {
            return if self.free < MAX_FREE_TRANSACTIONS { Ok(()) } else { Err(MempoolError::FullOfFree) };
        }
        while self.by_fee.len() >= MAX_TRANSACTIONS - MAX_FREE_TRANSACTIONS
            || self.bytes.saturating_add(new.bytes) > MAX_BYTES
        {
            match self.by_fee.first().copied() {
                // Strictly less: otherwise two senders with one fee could displace each other without end.
                Some(PayingPlace { fee, signer, nonce }) if fee < new.fee() => self.remove(&signer, nonce),
                least => {
                    let least = Amount::from_base_units(least.map_or(0, |place| place.fee));
                    return Err(MempoolError::Full { least });
                }
            }
        }
        Ok(())
    }

    fn add(&mut self, signer: NodeId, new: PendingTransaction) {
        let nonce = new.transaction.nonce;
        self.ids.insert(new.id);
        self.bytes += new.bytes;
        if new.is_free() {
            self.free += 1;
        } else {
            self.by_fee.insert(PayingPlace { fee: new.fee(), signer, nonce });
        }
        self.waiting.entry(signer).or_default().insert(nonce, new);
    }

    fn remove(&mut self, signer: &NodeId, nonce: u64) {
        let Some(waiting) = self.waiting.get_mut(signer) else { return };
        let Some(old) = waiting.remove(&nonce) else { return };
        if waiting.is_empty() {
            self.waiting.remove(signer);
        }
        self.ids.remove(&old.id);
        self.bytes -= old.bytes;
        if old.is_free() {
            self.free -= 1;
        } else {
            self.by_fee.remove(&PayingPlace { fee: old.fee(), signer: *signer, nonce });
        }
    }
}

/// The signer's next nonce, if the transaction could still be applied after `state`.
fn plausible(transaction: &Transaction, signer: &NodeId, state: &LedgerState) -> Result<u64, Rejection> {
    // The next block has a height above this one, and a transaction is valid through its expiry.
    if transaction.expiry <= state.height() {
        return Err(Rejection::Expired { expiry: transaction.expiry });
    }
    let given = transaction.nonce;
    let due = |expected: u64| match given < expected {
        true => Err(Rejection::Nonce { expected, given }),
        false => Ok(expected),
    };
    if transaction.call.signer() == SignerKey::Node {
        let node = state.nodes().get(signer).ok_or(Rejection::NoSuchNode { node: *signer })?;
        return if transaction.fee.is_zero() { due(node.nonce) } else { Err(Rejection::NodeFee) };
    }
    let account = state.accounts().get(signer);
    let least = Amount::from_base_units(state.params().min_fee);
    if transaction.fee < least {
        return Err(Rejection::Fee { least });
    }
    if account.balance < transaction.fee {
        return Err(Rejection::Balance { needed: transaction.fee });
    }
    due(account.nonce)
}

#[cfg(test)]
mod tests;
