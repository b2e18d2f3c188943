//! The state tree of a batch whose states in between are not kept.
//!
//! A block replaces most tree nodes that the block before it wrote. A node that is far behind would write all of them and
//! delete them soon after. Here they stay in memory, and what is left after the last block is written.

use std::collections::{BTreeMap, HashMap};

use jmt::storage::{Node, NodeKey};
use nervure_ledger::tree::TreeUpdate;
use redb::{ReadableTable, WriteTransaction};

use super::{
    StoreError, prune,
    tables::{self, NODES, VALUES},
    tree::{stored, value_key},
};

/// A value and the version that wrote it; none when that version removed it.
type Written = (u64, Option<Vec<u8>>);

/// What the blocks of a batch left of the tree, and what they replaced.
#[derive(Default)]
pub(super) struct Coalesced {
    nodes: HashMap<NodeKey, Node>,
    values: BTreeMap<[u8; 32], Written>,
    /// Nodes in the file that a block replaced.
    replaced: Vec<NodeKey>,
}

impl Coalesced {
    /// The next block's update.
    pub(super) fn push(&mut self, update: &TreeUpdate) {
        let batch = &update.batch;
        let nodes = batch.node_batch.nodes().iter();
        self.nodes.extend(nodes.map(|(key, node)| (key.clone(), node.clone())));
        for stale in &batch.stale_node_index_batch {
            if self.nodes.remove(&stale.node_key).is_none() {
                self.replaced.push(stale.node_key.clone());
            }
        }
        for ((version, place), value) in batch.node_batch.values() {
            self.values.insert(place.0, (*version, value.clone()));
        }
    }

    /// A node that a block of the batch wrote.
    pub(super) fn node(&self, key: &NodeKey) -> Option<&Node> {
        self.nodes.get(key)
    }

    /// What the batch wrote at `place` up to `version`; the inner option is none where it removed a value.
    pub(super) fn value(&self, place: &[u8; 32], version: u64) -> Option<&Option<Vec<u8>>> {
        self.values.get(place).filter(|(written, _)| *written <= version).map(|(_, value)| value)
    }

    /// Writes what is left after the block of version `last`. States before it are not kept.
    pub(super) fn write(&self, transaction: &WriteTransaction, last: u64) -> Result<(), StoreError> {
        if self.nodes.is_empty() {
            // No block was pushed.
            return Ok(());
        }
        self.write_nodes(transaction)?;
        self.write_values(transaction, last)?;
        prune::run(transaction, last)
    }

    fn write_nodes(&self, transaction: &WriteTransaction) -> Result<(), StoreError> {
        let mut nodes = transaction.open_table(NODES)?;
        for key in &self.replaced {
            nodes.remove(borsh::to_vec(key)?.as_slice())?;
        }
        // In the order of the table: pages are written once.
        let mut written = Vec::with_capacity(self.nodes.len());
        for (key, node) in &self.nodes {
            written.push((borsh::to_vec(key)?, node));
        }
        written.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        for (key, node) in written {
            tables::put(&mut nodes, NODES, &key, &borsh::to_vec(node)?)?;
        }
        Ok(())
    }

    fn write_values(&self, transaction: &WriteTransaction, last: u64) -> Result<(), StoreError> {
        let mut values = transaction.open_table(VALUES)?;
        let mut stale = prune::Stale::open(transaction, last)?;
        for (place, (version, value)) in &self.values {
            let former = {
                let (first, last) = (value_key(place, 0), value_key(place, *version));
                let mut before = values.range::<&[u8]>(first.as_slice()..last.as_slice())?;
                before.next_back().transpose()?.map(|(key, _)| key.value().to_vec())
            };
            if let Some(former) = &former {
                values.remove(former.as_slice())?;
            }
            if value.is_none() && former.is_none() {
                // The batch wrote and removed it, and there is nothing to hide.
                continue;
            }
            let key = value_key(place, *version);
            tables::put(&mut values, VALUES, &key, &stored(value.as_deref()))?;
            if value.is_none() {
                // The mark stays until older values of the place are pruned, which it hides.
                stale.value(&key)?;
            }
        }
        Ok(())
    }
}
