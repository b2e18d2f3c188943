//! Which transactions go first.
//!
//! Most of a block goes to those that tip most. The rest goes to those that have waited longest, one of each payer:
//! otherwise who sees a bid and always bids more would keep a transaction out for as long as it buys whole blocks. What it
//! can still do is wait in line with many accounts, of which each pays the base fee for its place.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, BinaryHeap},
};

use nervure_primitives::NodeId;

use super::{
    pending::{PendingTransaction, Sequence, Terms},
    queues::Queues,
};
use crate::{block_weight::BlockWeight, state::LedgerState, transaction::SignedTransaction};

/// The part of a crowded block that goes by age: one in so many.
const AGE_PART: u64 = 4;

/// The weight of a crowded block with this `limit` that goes by tips.
pub(super) const fn by_tips(limit: u64) -> u64 {
    limit - limit / AGE_PART
}

/// The best transactions that the block after `state` has room for, each signer's in the order of nonces without a gap.
pub(super) fn best(queues: &Queues, state: &LedgerState) -> Vec<SignedTransaction> {
    // With room for all, nothing depends on age.
    let is_crowded = queues.paid.weight > state.limit.paid;
    let tips = if is_crowded { by_tips(state.limit.paid) } else { state.limit.paid };
    select(queues, state.limit, tips)
}

/// Fills a block of this `limit`, of which the weight `tips` goes by tips alone.
pub(super) fn select(queues: &Queues, limit: BlockWeight, tips: u64) -> Vec<SignedTransaction> {
    let mut selection =
        Selection { queues, next: BTreeMap::new(), block: BlockWeight::default(), taken: Vec::new() };
    selection.take_by_tip(BlockWeight { paid: tips, ..limit });
    if tips < limit.paid {
        selection.take_by_age(limit);
        // Where few wait, age leaves room.
        selection.take_by_tip(limit);
    }
    selection.taken
}

/// A signer's next transaction. The greatest goes first: free ones of validators, the most stake first, then the higher
/// tip for a unit of weight, and of equals the one that came first.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Next {
    is_free: bool,
    value: u64,
    arrival: Reverse<u64>,
    sequence: Sequence,
    nonce: u64,
}

impl Next {
    /// None when its fee is too low now: the ones after it have to wait for it.
    fn of(one: &PendingTransaction) -> Option<Self> {
        let (is_free, value) = match one.terms {
            Terms::Lane { stake, .. } => (true, stake),
            Terms::Account { rate, .. } => (false, rate?),
        };
        Some(Self {
            is_free,
            value,
            arrival: Reverse(one.arrival),
            sequence: one.sequence(),
            nonce: one.nonce(),
        })
    }
}

/// A block as it is filled.
struct Selection<'q> {
    queues: &'q Queues,
    /// The nonce after what was taken of a signer.
    next: BTreeMap<Sequence, u64>,
    block: BlockWeight,
    taken: Vec<SignedTransaction>,
}

impl<'q> Selection<'q> {
    /// The next transaction of each signer, if its turn has come.
    fn heads(&self) -> impl Iterator<Item = &'q PendingTransaction> {
        self.queues.queues.iter().filter_map(|(sequence, queue)| match self.next.get(sequence) {
            Some(next) => queue.get(next),
            None => queue.first_key_value().map(|(_, first)| first).filter(|first| first.depth() == 0),
        })
    }

    /// Takes a transaction, if a block of this `limit` has room for it.
    fn take(&mut self, one: &PendingTransaction, limit: BlockWeight) -> bool {
        let Ok(with) = self.block.with(one.weight(), one.is_free(), limit) else { return false };
        self.block = with;
        self.next.insert(one.sequence(), one.nonce().saturating_add(1));
        self.taken.push(one.signed.clone());
        true
    }

    fn take_by_tip(&mut self, limit: BlockWeight) {
        let mut heap: BinaryHeap<Next> = self.heads().filter_map(Next::of).collect();
        while let Some(Next { sequence, nonce, .. }) = heap.pop() {
            let Some(one) = self.queues.get(&sequence, nonce) else { continue };
            // One that does not fit ends its signer's turn: the ones after it need it.
            if self.take(one, limit) {
                // One transaction per signer is in the heap: a high tip cannot overtake its own lower nonces.
                heap.extend(self.queues.get(&sequence, nonce.saturating_add(1)).and_then(Next::of));
            }
        }
    }

    fn take_by_age(&mut self, limit: BlockWeight) {
        let due = |one: &'q PendingTransaction| match one.terms {
            Terms::Account { payer, .. } if one.is_payable() => Some((one.since, payer, one)),
            Terms::Account { .. } | Terms::Lane { .. } => None,
        };
        let mut heads: Vec<(u64, NodeId, &PendingTransaction)> = self.heads().filter_map(due).collect();
        heads.sort_unstable_by_key(|(since, ..)| *since);
        let mut served = BTreeSet::new();
        for (_, payer, one) in heads {
            // The oldest of each payer: a long queue gives no more of a block than a short one.
            if !served.contains(&payer) && self.take(one, limit) {
                served.insert(payer);
            }
        }
    }
}
