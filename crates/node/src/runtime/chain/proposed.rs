//! Proposed blocks that are not committed yet. Other validators fetch them from a proposer.

use std::collections::BTreeMap;

use nervure_primitives::Hash;
use parking_lot::Mutex;

/// Most blocks in memory. A validator proposes one per round, and a height has few rounds.
const MAX_PROPOSED_BLOCKS: usize = 16;

/// Encoded blocks by their ids.
#[derive(Debug, Default)]
pub(super) struct ProposedBlocks(Mutex<BTreeMap<Hash, Vec<u8>>>);

impl ProposedBlocks {
    /// Keeps a block until the height is decided.
    pub(super) fn keep(&self, id: Hash, body: Vec<u8>) {
        let mut proposed = self.0.lock();
        if proposed.len() < MAX_PROPOSED_BLOCKS {
            proposed.insert(id, body);
        }
    }

    /// A block.
    pub(super) fn get(&self, id: &Hash) -> Option<Vec<u8>> {
        self.0.lock().get(id).cloned()
    }

    /// Drops all of them: the height is decided.
    pub(super) fn clear(&self) {
        self.0.lock().clear();
    }
}
