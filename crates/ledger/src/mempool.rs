//! Transactions that wait for a block.
//!
//! A pool takes what could be carried out soon: signed for this mesh, with a nonce that is due or nearly,
//! a fee that is enough, and a balance to pay it. What it took it hands to whoever makes a block, for each
//! signer in the order of nonces, the best fees first.
//!
//! What a hostile signer can do: fill its own [`PER_SIGNER`] places, each with a fee that it can pay once.
//! What it cannot: take others' places, except by paying more than the least payer when the pool is full,
//! or make the pool grow beyond [`MAX_COUNT`] and [`MAX_BYTES`]. Transactions of node keys cost nothing,
//! so that they have places of their own ([`MAX_FREE`]).

mod order;

use std::collections::{BTreeMap, BTreeSet};

use nervure_primitives::{Amount, Envelope, Hash, NodeId};

use crate::{
    state::State,
    transaction::{Checked, Refusal, Transaction},
};

/// Transactions of one signer.
pub const PER_SIGNER: usize = 16;

/// Transactions in all.
pub const MAX_COUNT: usize = 10_000;

/// Their bytes.
pub const MAX_BYTES: usize = 16 << 20;

/// Transactions of node keys, which pay no fee.
pub const MAX_FREE: usize = 2_000;

/// By how much a replacement has to pay more, in percent.
const REPLACE_PERCENT: u64 = 10;

/// Why a transaction is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PoolRefusal {
    /// It is here already.
    #[error("it waits already")]
    Known,
    /// The ledger would refuse it.
    #[error(transparent)]
    Ledger(#[from] Refusal),
    /// Its nonce is too far ahead of the signer's next.
    #[error("it carries nonce {given}, more than {PER_SIGNER} ahead of the signer's next, {expected}")]
    FarNonce {
        /// The signer's next nonce.
        expected: u64,
        /// Its own.
        given: u64,
    },
    /// Another with the same nonce waits, and this one does not pay enough more.
    #[error("another with this nonce waits: replacing it takes a fee of {least} tokens")]
    Underpriced {
        /// The fee that would replace it.
        least: Amount,
    },
    /// The pool is full, and this one pays no more than any that wait.
    #[error("too many transactions wait: a fee above {least} tokens is needed")]
    Full {
        /// The least fee that waits.
        least: Amount,
    },
    /// Too many of node keys wait, or of this signer.
    #[error("too many transactions of node keys wait")]
    FullOfFree,
}

impl PoolRefusal {
    /// Whether whoever sent it should have known: it is not a transaction of this mesh at all.
    pub fn blames_sender(&self) -> bool {
        matches!(self, Self::Ledger(Refusal::Malformed { .. }))
    }
}

/// One that waits.
#[derive(Clone, Debug)]
struct Waiting {
    id: Hash,
    envelope: Envelope,
    transaction: Transaction,
    bytes: usize,
}

impl Waiting {
    fn fee(&self) -> u64 {
        self.transaction.fee.base_units()
    }

    fn is_free(&self) -> bool {
        self.transaction.call.is_of_node()
    }
}

/// Transactions that wait, by signer and nonce.
#[derive(Debug, Default)]
pub struct Mempool {
    waiting: BTreeMap<NodeId, BTreeMap<u64, Waiting>>,
    ids: BTreeSet<Hash>,
    /// Those that pay, the least fee first.
    by_fee: BTreeSet<(u64, NodeId, u64)>,
    bytes: usize,
    free: usize,
}

impl Mempool {
    /// How many wait.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether the transaction with this id waits.
    pub fn contains(&self, id: &Hash) -> bool {
        self.ids.contains(id)
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// The nonce after the last one of `signer` that waits without a gap, and at least `next`.
    pub fn next_nonce(&self, signer: &NodeId, next: u64) -> u64 {
        let waiting = self.waiting.get(signer);
        let is_there = |nonce: &u64| waiting.is_some_and(|waiting| waiting.contains_key(nonce));
        (next..).find(|nonce| !is_there(nonce)).unwrap_or(next)
    }

    /// Takes a transaction that could follow `state`.
    ///
    /// # Errors
    /// When it could not, or there is no room for it. Nothing changes then.
    pub fn insert(&mut self, envelope: Envelope, state: &State) -> Result<Hash, PoolRefusal> {
        let id = envelope.id();
        if self.ids.contains(&id) {
            return Err(PoolRefusal::Known);
        }
        let checked = Checked::new(&envelope, &state.mesh());
        let transaction = checked.transaction?;
        let expected = plausible(&transaction, &checked.signer, state)?;
        let (signer, nonce) = (checked.signer, transaction.nonce);
        if nonce >= expected.saturating_add(PER_SIGNER as u64) {
            return Err(PoolRefusal::FarNonce { expected, given: nonce });
        }
        let bytes = envelope.body().len();
        let waiting = Waiting { id, envelope, transaction, bytes };
        self.may_replace(&signer, &waiting)?;
        self.make_room(&waiting)?;
        self.remove(&signer, nonce);
        self.add(signer, waiting);
        Ok(id)
    }

    /// Transactions for the block after `state`: at most `count` with at most `bytes` in all.
    pub fn take(&self, state: &State, count: usize, bytes: usize) -> Vec<Envelope> {
        order::best(&self.waiting, state, count, bytes)
    }

    /// Forgets what `state` made impossible: carried out, overtaken, or expired.
    pub fn update(&mut self, state: &State) {
        let gone: Vec<(NodeId, u64)> = self
            .waiting
            .iter()
            .flat_map(|(signer, waiting)| waiting.iter().map(move |(nonce, one)| (signer, nonce, one)))
            .filter(|(signer, _, one)| plausible(&one.transaction, signer, state).is_err())
            .map(|(signer, nonce, _)| (*signer, *nonce))
            .collect();
        gone.into_iter().for_each(|(signer, nonce)| self.remove(&signer, nonce));
    }

    /// Refuses what does not pay enough more than the one with the same nonce.
    fn may_replace(&self, signer: &NodeId, new: &Waiting) -> Result<(), PoolRefusal> {
        let same = self.waiting.get(signer).and_then(|waiting| waiting.get(&new.transaction.nonce));
        let Some(old) = same else { return Ok(()) };
        if old.is_free() {
            return Err(PoolRefusal::Known);
        }
        let least = old.fee().saturating_add((old.fee() / 100).saturating_mul(REPLACE_PERCENT).max(1));
        match new.fee() >= least {
            true => Ok(()),
            false => Err(PoolRefusal::Underpriced { least: Amount::from_base_units(least) }),
        }
    }

    /// Drops the least payers until there is room, if `new` pays more than they do.
    fn make_room(&mut self, new: &Waiting) -> Result<(), PoolRefusal> {
        if new.is_free() {
            return if self.free < MAX_FREE { Ok(()) } else { Err(PoolRefusal::FullOfFree) };
        }
        while self.by_fee.len() >= MAX_COUNT - MAX_FREE || self.bytes.saturating_add(new.bytes) > MAX_BYTES {
            match self.by_fee.first().copied() {
                Some((fee, signer, nonce)) if fee < new.fee() => self.remove(&signer, nonce),
                least => {
                    let least = Amount::from_base_units(least.map_or(0, |(fee, ..)| fee));
                    return Err(PoolRefusal::Full { least });
                }
            }
        }
        Ok(())
    }

    fn add(&mut self, signer: NodeId, new: Waiting) {
        let nonce = new.transaction.nonce;
        self.ids.insert(new.id);
        self.bytes += new.bytes;
        if new.is_free() {
            self.free += 1;
        } else {
            self.by_fee.insert((new.fee(), signer, nonce));
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
            self.by_fee.remove(&(old.fee(), *signer, nonce));
        }
    }
}

/// Whether a transaction could still be carried out after `state`; the signer's next nonce, if so.
fn plausible(transaction: &Transaction, signer: &NodeId, state: &State) -> Result<u64, Refusal> {
    if transaction.expiry <= state.height() {
        return Err(Refusal::Expired { expiry: transaction.expiry });
    }
    let given = transaction.nonce;
    let due = |expected: u64| match given < expected {
        true => Err(Refusal::Nonce { expected, given }),
        false => Ok(expected),
    };
    if transaction.call.is_of_node() {
        let node = state.nodes().get(signer).ok_or(Refusal::NoSuchNode { node: *signer })?;
        return if transaction.fee.is_zero() { due(node.nonce) } else { Err(Refusal::NodeFee) };
    }
    let account = state.accounts().get(signer);
    let least = Amount::from_base_units(state.params().min_fee);
    if transaction.fee < least {
        return Err(Refusal::Fee { least });
    }
    if account.balance < transaction.fee {
        return Err(Refusal::Balance { needed: transaction.fee });
    }
    due(account.nonce)
}

#[cfg(test)]
mod tests;
