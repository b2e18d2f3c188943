//! Blocks that are proposed and not yet committed: what other validators fetch from a proposer.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use nervure_primitives::Hash;

/// Blocks that are kept. A validator proposes one per round, and rounds of a height are few.
const MOST: usize = 16;

/// Encoded blocks by their ids.
#[derive(Debug, Default)]
pub(super) struct Bodies(Mutex<BTreeMap<Hash, Vec<u8>>>);

impl Bodies {
    /// Keeps a block until the height is decided.
    pub(super) fn keep(&self, id: Hash, body: Vec<u8>) {
        let mut bodies = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if bodies.len() < MOST {
            bodies.insert(id, body);
        }
    }

    /// A block.
    pub(super) fn get(&self, id: &Hash) -> Option<Vec<u8>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
    }

    /// Forgets all: the height is decided.
    pub(super) fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}
