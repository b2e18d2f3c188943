//! Which transactions go first.

use std::collections::{BTreeMap, BinaryHeap};

use nervure_primitives::{Envelope, NodeId};

use super::PendingTransaction;
use crate::state::LedgerState;

/// A signer's next transaction. The greatest goes first: of node keys before all, then the higher fee,
/// and for a tie the greater key, so that every node orders alike.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Next {
    free: bool,
    fee: u64,
    signer: NodeId,
    nonce: u64,
}

/// The best transactions that can follow `state`, each signer's in the order of nonces without a gap.
pub(super) fn best(
    waiting: &BTreeMap<NodeId, BTreeMap<u64, PendingTransaction>>,
    state: &LedgerState,
    count: usize,
    mut bytes: usize,
) -> Vec<Envelope> {
    let find = |signer: &NodeId, nonce: u64| waiting.get(signer)?.get(&nonce);
    let next = |signer: &NodeId, nonce: u64| {
        let one = find(signer, nonce)?;
        Some(Next { free: one.is_free(), fee: one.fee(), signer: *signer, nonce })
    };
    let first = |signer: &NodeId, waiting: &BTreeMap<u64, PendingTransaction>| {
        let free = waiting.values().next()?.is_free();
        // Node keys and owner keys count their nonces separately.
        let nonce = match free {
            true => state.nodes().get(signer)?.nonce,
            false => state.accounts().get(signer).nonce,
        };
        next(signer, nonce)
    };
    let mut heap: BinaryHeap<Next> =
        waiting.iter().filter_map(|(signer, waiting)| first(signer, waiting)).collect();
    let mut taken = Vec::new();
    while let Some(Next { signer, nonce, .. }) = heap.pop() {
        let Some(one) = find(&signer, nonce) else { continue };
        // One that does not fit ends its signer's turn: the ones after it need it.
        if taken.len() == count || one.bytes > bytes {
            continue;
        }
        bytes -= one.bytes;
        taken.push(one.envelope.clone());
        // One transaction per signer is in the heap: a high fee cannot overtake its own lower nonces.
        heap.extend(next(&signer, nonce.saturating_add(1)));
    }
    taken
}
