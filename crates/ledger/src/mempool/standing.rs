//! What a queue of pending transactions is worth, place by place.

use super::pending::{PendingTransaction, Terms};

/// What a queue is worth up to a place.
pub(super) struct Standing {
    /// The nonce that has to come next; none when an earlier one is missing or cannot be paid for now.
    due: Option<u64>,
    /// The least tip rate so far.
    least: u64,
}

impl Standing {
    pub(super) fn new(next: u64) -> Self {
        Self { due: Some(next), least: u64::MAX }
    }

    /// The value of the next transaction of the queue; none when it cannot be in the next block.
    pub(super) fn next(&mut self, one: &PendingTransaction) -> Option<u64> {
        let is_due = self.due == Some(one.nonce()) && one.is_payable();
        self.due = is_due.then(|| one.nonce().saturating_add(1));
        let value = match one.terms {
            Terms::Lane { stake, .. } => stake,
            Terms::Account { rate, .. } => {
                self.least = self.least.min(rate.unwrap_or(0));
                self.least
            }
        };
        is_due.then_some(value)
    }
}
