//! What became of the latest transactions, for those who wait for theirs.

use std::{
    num::NonZeroUsize,
    sync::{Mutex, PoisonError},
};

use lru::LruCache;
use nervure_ledger::event::Event;
use nervure_primitives::{BlockHeight, Hash};

/// Transactions that are remembered: blocks keep the others.
const MOST: NonZeroUsize = NonZeroUsize::MIN.saturating_add(49_999);

/// The latest transactions' blocks and events, by their ids.
#[derive(Debug)]
pub(super) struct Settled(Mutex<LruCache<Hash, (BlockHeight, Event)>>);

impl Default for Settled {
    fn default() -> Self {
        Self(Mutex::new(LruCache::new(MOST)))
    }
}

impl Settled {
    /// Notes what happened in a block.
    pub(super) fn note(&self, height: BlockHeight, events: &[Event]) {
        let mut settled = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for event in events {
            if let Event::Applied { id, .. } | Event::Refused { id, .. } = event {
                settled.put(*id, (height, event.clone()));
            }
        }
    }

    /// What became of a transaction.
    pub(super) fn of(&self, id: &Hash) -> Option<(BlockHeight, Event)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
    }
}
