//! What one payer has in the mempool.

use super::pending::{PendingTransaction, Terms};

/// What one payer has in the mempool.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Share {
    pub(super) count: usize,
    pub(super) bytes: usize,
    /// The most that all of them take from its account, in base units.
    pub(super) reserved: u128,
}

impl Share {
    pub(super) fn put_in(&mut self, one: &PendingTransaction) {
        self.count += 1;
        self.bytes += one.bytes();
        self.reserved += one.reserved();
    }

    pub(super) fn take_out(&mut self, one: &PendingTransaction) {
        if one.is_free() {
            return;
        }
        self.count -= 1;
        self.bytes -= one.bytes();
        self.reserved -= one.reserved();
    }
}

impl PendingTransaction {
    fn reserved(&self) -> u128 {
        match self.terms {
            Terms::Lane { .. } => 0,
            Terms::Account { reserved, .. } => reserved.into(),
        }
    }
}
