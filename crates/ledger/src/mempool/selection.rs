//! Which transactions go first.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap},
};

use super::{
    pending::{PendingTransaction, Sequence, Terms},
    queues::Queues,
};
use crate::{block_weight::BlockWeight, state::LedgerState, transaction::SignedTransaction};

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

/// The best transactions that the block after `state` has room for, each signer's in the order of nonces without a gap.
pub(super) fn best(queues: &Queues, state: &LedgerState) -> Vec<SignedTransaction> {
    let first = |queue: &BTreeMap<u64, PendingTransaction>| {
        let (_, first) = queue.first_key_value()?;
        if first.depth() == 0 { Next::of(first) } else { None }
    };
    let mut heap: BinaryHeap<Next> = queues.queues.values().filter_map(first).collect();
    let (mut taken, mut block) = (Vec::new(), BlockWeight::default());
    while let Some(Next { is_free, sequence, nonce, .. }) = heap.pop() {
        let Some(one) = queues.get(&sequence, nonce) else { continue };
        // One that does not fit ends its signer's turn: the ones after it need it.
        let Ok(with) = block.with(one.weight(), is_free, state.limit) else { continue };
        block = with;
        taken.push(one.signed.clone());
        // One transaction per signer is in the heap: a high tip cannot overtake its own lower nonces.
        heap.extend(queues.get(&sequence, nonce.saturating_add(1)).and_then(Next::of));
    }
    taken
}
