//! The stored state tree.

use jmt::{
    KeyHash, OwnedValue, Version,
    storage::{LeafNode, Node, NodeKey, TreeReader},
};
use redb::ReadableTable;

use super::{
    StoreError,
    tables::{self, NODES, VALUES},
};

/// The tree of all versions that are kept, in tables of this kind.
pub(super) struct StoredTree<T> {
    pub(super) nodes: T,
    pub(super) values: T,
}

/// The key of a value: its place, then the version that wrote it.
pub(super) fn value_key(place: &[u8; 32], version: Version) -> [u8; 40] {
    let mut key = [0; 40];
    key[..32].copy_from_slice(place);
    // Big-endian: the versions of one place are neighbours, in their order.
    key[32..].copy_from_slice(&version.to_be_bytes());
    key
}

/// A value as it is stored: with a byte before it, because a removed one is stored too.
pub(super) fn stored(value: Option<&[u8]>) -> Vec<u8> {
    let mut bytes = vec![u8::from(value.is_some())];
    bytes.extend_from_slice(value.unwrap_or_default());
    bytes
}

/// The value that was stored.
pub(super) fn value(stored: &[u8]) -> Option<&[u8]> {
    stored.split_first().filter(|(there, _)| **there == 1).map(|(_, value)| value)
}

impl<T: ReadableTable<&'static [u8], &'static [u8]>> StoredTree<T> {
    fn node(&self, key: &NodeKey) -> Result<Option<Node>, StoreError> {
        let key = borsh::to_vec(key)?;
        let Some(bytes) = tables::get(&self.nodes, NODES, &key)? else { return Ok(None) };
        let node = borsh::from_slice(&bytes);
        node.map(Some).map_err(|error| StoreError::damaged(tables::name(NODES, &key), error))
    }

    /// The newest value at `place` that `version` or one before it wrote.
    fn newest(&self, place: &[u8; 32], version: Version) -> Result<Option<Vec<u8>>, StoreError> {
        let (first, last) = (value_key(place, 0), value_key(place, version));
        let mut range = self.values.range::<&[u8]>(first.as_slice()..=last.as_slice())?;
        let Some(newest) = range.next_back() else { return Ok(None) };
        let (key, sealed) = newest?;
        // A removal mark is the newest value as well, and becomes `None` below.
        let stored = tables::unseal(VALUES, key.value(), sealed.value())?;
        Ok(value(stored).map(<[u8]>::to_vec))
    }
}

impl<T: ReadableTable<&'static [u8], &'static [u8]>> TreeReader for StoredTree<T> {
    fn get_node_option(&self, key: &NodeKey) -> anyhow::Result<Option<Node>> {
        Ok(self.node(key)?)
    }

    fn get_value_option(&self, version: Version, place: KeyHash) -> anyhow::Result<Option<OwnedValue>> {
        Ok(self.newest(&place.0, version)?)
    }

    fn get_rightmost_leaf(&self) -> anyhow::Result<Option<(NodeKey, LeafNode)>> {
        Ok(None)
    }
}
