//! Keys that nodes had before.
//!
//! A key that was swapped away stays unusable for a while: what it signed as a validator can still be evidence, and other
//! nodes may still take it for the node that it was. After that it is free again, and its record goes. Each record is paid
//! for with a deposit, and a block forgets at most [`MAX_FORGOTTEN`] of them. A key of a node that equivocated is never
//! free again.

use imbl::{OrdMap, OrdSet};
use nervure_primitives::{Amount, BlockHeight, NodeId};
use serde::{Deserialize, Serialize};

/// Most retired keys that a block forgets: more than swaps fit into a block.
pub(crate) const MAX_FORGOTTEN: usize = 512;

/// A key that a node had before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RetiredKey {
    /// Who owned the node, and gets the deposit back.
    pub owner: NodeId,
    /// The block from which on it is free again; none if it never is.
    pub free: Option<BlockHeight>,
    /// What is deposited for the record.
    pub deposit: Amount,
}

/// All retired keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct RetiredKeys {
    keys: OrdMap<NodeId, RetiredKey>,
    /// Those that become free, in this order: follows from `keys`.
    due: OrdSet<(BlockHeight, NodeId)>,
    /// By owner: follows from `keys`.
    by_owner: OrdSet<(NodeId, NodeId)>,
}

impl RetiredKeys {
    pub(crate) fn keys(&self) -> &OrdMap<NodeId, RetiredKey> {
        &self.keys
    }

    pub(crate) fn get(&self, key: &NodeId) -> Option<&RetiredKey> {
        self.keys.get(key)
    }

    /// Those of `owner`.
    pub(crate) fn of_owner(&self, owner: NodeId) -> impl Iterator<Item = (NodeId, RetiredKey)> {
        let (least, most) = (NodeId::from_bytes([0; 32]), NodeId::from_bytes([0xff; 32]));
        let keys = self.by_owner.range((owner, least)..=(owner, most)).map(|(_, key)| *key);
        keys.filter_map(|key| Some((key, *self.keys.get(&key)?)))
    }

    /// Retires a key; `true` when it was before.
    pub(crate) fn insert(&mut self, key: NodeId, retired: RetiredKey) -> bool {
        let former = self.remove(&key);
        self.keys.insert(key, retired);
        self.by_owner.insert((retired.owner, key));
        if let Some(free) = retired.free {
            self.due.insert((free, key));
        }
        former.is_some()
    }

    /// A retired key is never free again.
    pub(crate) fn keep_for_good(&mut self, key: NodeId) {
        if let Some(retired) = self.keys.get(&key).copied() {
            self.insert(key, RetiredKey { free: None, ..retired });
        }
    }

    /// Forgets the next key that is free at `block`.
    pub(crate) fn forget_next(&mut self, block: BlockHeight) -> Option<RetiredKey> {
        let (_, key) = self.due.get_min().copied().filter(|(free, _)| *free <= block)?;
        self.remove(&key)
    }

    fn remove(&mut self, key: &NodeId) -> Option<RetiredKey> {
        let retired = self.keys.remove(key)?;
        self.by_owner.remove(&(retired.owner, *key));
        if let Some(free) = retired.free {
            self.due.remove(&(free, *key));
        }
        Some(retired)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> NodeId {
        NodeId::from_bytes([byte; 32])
    }

    #[test]
    fn keys_are_forgotten_in_the_order_in_which_they_become_free() {
        let mut retired = RetiredKeys::default();
        let until =
            |block| RetiredKey { owner: key(9), free: Some(BlockHeight(block)), deposit: Amount::ZERO };
        for (byte, block) in [(1, 7), (2, 5), (3, 6)] {
            assert!(!retired.insert(key(byte), until(block)));
        }
        retired.keep_for_good(key(3));
        assert_eq!(retired.of_owner(key(9)).count(), 3);
        assert_eq!(retired.forget_next(BlockHeight(4)), None);
        assert_eq!(retired.forget_next(BlockHeight(9)), Some(until(5)));
        assert_eq!(retired.forget_next(BlockHeight(9)), Some(until(7)));
        assert_eq!(retired.forget_next(BlockHeight(u64::MAX)), None, "the third is never free");
        assert_eq!(retired.of_owner(key(9)).map(|(key, _)| key).collect::<Vec<_>>(), [key(3)]);
    }
}
