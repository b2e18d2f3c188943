//! The outcomes of the latest transactions, for callers that wait for them.

use std::num::NonZeroUsize;

use lru::LruCache;
use nervure_ledger::event::Event;
use nervure_primitives::{BlockHeight, Hash};
use parking_lot::Mutex;

use super::span;

/// Most outcomes in memory. Older ones are in the blocks.
const MAX_TX_RECEIPTS: NonZeroUsize = NonZeroUsize::MIN.saturating_add(49_999);

/// The latest transactions' blocks and events, by their ids.
#[derive(Debug)]
pub(super) struct TxReceipts(Mutex<LruCache<Hash, (BlockHeight, Event)>>);

impl Default for TxReceipts {
    fn default() -> Self {
        Self(Mutex::new(LruCache::new(MAX_TX_RECEIPTS)))
    }
}

/// Logs what became of a transaction, within its span.
fn log(height: BlockHeight, event: &Event) {
    match event {
        Event::Applied { id, .. } => {
            span::of_transaction(id).in_scope(|| tracing::debug!(%height, "applied"));
        }
        Event::Rejected { id, rejection, .. } => {
            span::of_transaction(id).in_scope(|| tracing::debug!(%height, %rejection, "rejected in a block"));
        }
        _ => {}
    }
}

impl TxReceipts {
    /// Adds the outcomes of a block.
    pub(super) fn note(&self, height: BlockHeight, events: &[Event]) {
        let mut receipts = self.0.lock();
        for event in events {
            log(height, event);
            if let Event::Applied { id, .. } | Event::Rejected { id, .. } = event {
                receipts.put(*id, (height, event.clone()));
            }
        }
    }

    /// The outcome of a transaction.
    pub(super) fn of(&self, id: &Hash) -> Option<(BlockHeight, Event)> {
        self.0.lock().get(id).cloned()
    }
}
