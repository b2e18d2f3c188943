//! The queues of pending transactions, one for each nonce that counts, and their books: ids, ranks, and what every payer
//! has in the mempool.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

use nervure_primitives::{Amount, Hash, NodeId};

use super::{
    MAX_BYTES, MAX_BYTES_PER_PAYER, MAX_LANE_BYTES, MAX_LANE_TRANSACTIONS, MAX_PER_PAYER, MAX_TRANSACTIONS,
    MempoolError, Rank,
    pending::{PendingTransaction, Sequence, Terms},
    selection,
    share::Share,
    standing::Standing,
};
use crate::{
    economics::base_fee::cost_of,
    lane::LaneScope,
    state::LedgerState,
    transaction::{FundsRejection, Rejection},
};

/// Pending transactions of one signer, by nonce.
pub(super) type Queue = BTreeMap<u64, PendingTransaction>;

/// Transactions that pay, or those in the lane, the least one first.
#[derive(Debug, Default)]
pub(super) struct Shelf {
    pub(super) ranks: BTreeSet<Rank>,
    pub(super) bytes: usize,
    pub(super) weight: u64,
}

impl Shelf {
    fn put_in(&mut self, one: &PendingTransaction) {
        self.bytes += one.bytes();
        self.weight = self.weight.saturating_add(one.weight());
    }

    fn take_out(&mut self, one: &PendingTransaction) {
        self.bytes -= one.bytes();
        self.weight = self.weight.saturating_sub(one.weight());
    }
}

/// Pending transactions and their books.
#[derive(Debug, Default)]
pub(super) struct Queues {
    pub(super) queues: BTreeMap<Sequence, Queue>,
    ids: BTreeSet<Hash>,
    pub(super) paid: Shelf,
    pub(super) lane: Shelf,
    pub(super) payers: BTreeMap<NodeId, Share>,
    pub(super) scopes: BTreeMap<(LaneScope, NodeId), u16>,
}

impl Queues {
    pub(super) fn len(&self) -> usize {
        self.ids.len()
    }

    pub(super) fn contains(&self, id: &Hash) -> bool {
        self.ids.contains(id)
    }

    pub(super) fn of(&self, sequence: &Sequence) -> Option<&Queue> {
        self.queues.get(sequence)
    }

    pub(super) fn get(&self, sequence: &Sequence, nonce: u64) -> Option<&PendingTransaction> {
        self.of(sequence)?.get(&nonce)
    }

    pub(super) fn into_transactions(self) -> Vec<PendingTransaction> {
        self.queues.into_values().flat_map(BTreeMap::into_values).collect()
    }

    /// Refuses more than a payer may have here or than it can pay, `replaced` taken out.
    pub(super) fn check_share(
        &self,
        new: &PendingTransaction,
        replaced: Option<&PendingTransaction>,
        state: &LedgerState,
    ) -> Result<(), MempoolError> {
        match new.terms {
            Terms::Lane { scope, .. } => {
                let node = new.sequence().signer;
                let waiting = self.scopes.get(&(scope, node)).copied().unwrap_or(0);
                let used = state.lane.used(scope, &node).saturating_add(waiting);
                if used < state.params.lane_quota { Ok(()) } else { Err(MempoolError::LaneFull) }
            }
            Terms::Account { payer, reserved, .. } => {
                let mut share = self.payers.get(&payer).copied().unwrap_or_default();
                replaced.iter().for_each(|old| share.take_out(old));
                if share.count >= MAX_PER_PAYER || share.bytes + new.bytes() > MAX_BYTES_PER_PAYER {
                    return Err(MempoolError::PayerFull);
                }
                let kept = state.kept_by_payer(&new.transaction.call);
                let needed = share.reserved + u128::from(reserved) + u128::from(kept);
                if needed > u128::from(state.accounts.get(&payer).balance.base_units()) {
                    let needed = Amount::from_base_units(u64::try_from(needed).unwrap_or(u64::MAX));
                    return Err(Rejection::from(FundsRejection::Balance { needed }).into());
                }
                Ok(())
            }
        }
    }

    /// The places of those that have to go for `new`, which stand below it. A replacement pushes out no one but the one
    /// that it replaces.
    pub(super) fn room_for(
        &self,
        new: &PendingTransaction,
        replaced: Option<&PendingTransaction>,
    ) -> Result<Vec<Rank>, MempoolError> {
        let (shelf, most, most_bytes) = match new.is_free() {
            true => (&self.lane, MAX_LANE_TRANSACTIONS, MAX_LANE_BYTES),
            false => (&self.paid, MAX_TRANSACTIONS, MAX_BYTES),
        };
        // One that pays may replace a free one: it is on another shelf and frees nothing here.
        let freed = replaced.filter(|old| old.is_free() == new.is_free());
        let mut count = shelf.ranks.len() + 1 - usize::from(freed.is_some());
        let mut bytes = shelf.bytes + new.bytes() - freed.map_or(0, PendingTransaction::bytes);
        let value = self.value_of(new);
        let (mut evicted, mut ranks) = (Vec::new(), shelf.ranks.iter());
        while count > most || bytes > most_bytes {
            // Strictly less: otherwise two senders with one tip could displace each other without end.
            let least = ranks.next().filter(|least| least.value < value && replaced.is_none());
            let Some(least) = least else { return Err(self.full(new, shelf)) };
            count -= 1;
            bytes -= self.get(&least.sequence, least.nonce).map_or(0, PendingTransaction::bytes);
            evicted.push(*least);
        }
        Ok(evicted)
    }

    fn full(&self, new: &PendingTransaction, shelf: &Shelf) -> MempoolError {
        let least = shelf.ranks.first().and_then(|rank| rank.value).unwrap_or(0);
        match new.is_free() {
            true => MempoolError::LaneFull,
            false => MempoolError::Full { least: Amount::from_base_units(cost_of(new.weight(), least)) },
        }
    }

    /// The value of the rank that a new transaction would have.
    fn value_of(&self, new: &PendingTransaction) -> Option<u64> {
        let mut before = Standing::new(new.next);
        let earlier = self.of(&new.sequence()).into_iter().flat_map(|queue| queue.range(..new.nonce()));
        for (_, one) in earlier {
            before.next(one);
        }
        before.next(new)
    }

    /// The least tip rate that a block with room for `limit` would take by tips.
    pub(super) fn going_tip(&self, limit: u64) -> u64 {
        // Most of the time; otherwise it takes as long as a block has transactions.
        if self.paid.weight <= limit {
            return 0;
        }
        let (mut weight, limit) = (0u64, selection::by_tips(limit));
        for rank in self.paid.ranks.iter().rev() {
            let Some(value) = rank.value else { break };
            weight = weight
                .saturating_add(self.get(&rank.sequence, rank.nonce).map_or(0, PendingTransaction::weight));
            if weight > limit {
                return value.saturating_add(1);
            }
        }
        0
    }

    pub(super) fn add(&mut self, new: PendingTransaction) {
        let sequence = new.sequence();
        self.unrank(&sequence);
        self.ids.insert(new.signed.checked.id());
        match new.terms {
            Terms::Lane { scope, .. } => {
                self.lane.put_in(&new);
                *self.scopes.entry((scope, sequence.signer)).or_default() += 1;
            }
            Terms::Account { payer, .. } => {
                self.paid.put_in(&new);
                self.payers.entry(payer).or_default().put_in(&new);
            }
        }
        self.queues.entry(sequence).or_default().insert(new.nonce(), new);
        self.rank(&sequence);
    }

    pub(super) fn remove(&mut self, sequence: &Sequence, nonce: u64) {
        self.unrank(sequence);
        if let Some(old) = self.queues.get_mut(sequence).and_then(|queue| queue.remove(&nonce)) {
            self.forget(sequence, &old);
        }
        if self.queues.get(sequence).is_some_and(BTreeMap::is_empty) {
            self.queues.remove(sequence);
        }
        self.rank(sequence);
    }

    /// Takes a removed transaction out of the books.
    fn forget(&mut self, sequence: &Sequence, old: &PendingTransaction) {
        self.ids.remove(&old.signed.checked.id());
        match old.terms {
            Terms::Lane { scope, .. } => {
                self.lane.take_out(old);
                let key = (scope, sequence.signer);
                if let Some(count) = self.scopes.get_mut(&key) {
                    *count -= 1;
                    if *count == 0 {
                        self.scopes.remove(&key);
                    }
                }
            }
            Terms::Account { payer, .. } => {
                self.paid.take_out(old);
                if let Some(share) = self.payers.get_mut(&payer) {
                    share.take_out(old);
                    if share.count == 0 {
                        self.payers.remove(&payer);
                    }
                }
            }
        }
    }

    /// Takes the ranks of a queue away, before it changes.
    fn unrank(&mut self, sequence: &Sequence) {
        for (is_free, rank) in self.ranks_of(sequence) {
            if is_free {
                self.lane.ranks.remove(&rank)
            } else {
                self.paid.ranks.remove(&rank)
            };
        }
    }

    /// Ranks a queue, after it has changed.
    fn rank(&mut self, sequence: &Sequence) {
        for (is_free, rank) in self.ranks_of(sequence) {
            if is_free {
                self.lane.ranks.insert(rank)
            } else {
                self.paid.ranks.insert(rank)
            };
        }
    }

    /// Whether each of a queue is free, and its rank.
    fn ranks_of(&self, sequence: &Sequence) -> Vec<(bool, Rank)> {
        let Some(queue) = self.queues.get(sequence) else { return Vec::new() };
        let Some((_, first)) = queue.first_key_value() else { return Vec::new() };
        let mut standing = Standing::new(first.next);
        let rank = |one: &PendingTransaction| Rank {
            value: standing.next(one),
            depth: Reverse(one.depth()),
            arrival: Reverse(one.arrival),
            sequence: *sequence,
            nonce: one.nonce(),
        };
        queue.values().map(|one| one.is_free()).zip(queue.values().map(rank)).collect()
    }
}
