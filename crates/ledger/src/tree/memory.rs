//! The tree of the latest block, in memory: for simulations, tests, and callers that rebuild a state to
//! compare its root.

use std::collections::BTreeMap;

use jmt::{
    KeyHash, OwnedValue, Version,
    storage::{LeafNode, Node, NodeKey, TreeReader},
};
use nervure_primitives::Hash;

use super::{Changes, Key, Record, StateProof, StateTree, TreeError, TreeUpdate, changes, prove, update};
use crate::state::LedgerState;

/// A tree that knows its latest version.
#[derive(Clone, Debug, Default)]
pub struct MemoryTree {
    /// How often it was written.
    version: u64,
    root: Option<Hash>,
    pub(super) nodes: BTreeMap<NodeKey, Node>,
    values: BTreeMap<[u8; 32], OwnedValue>,
}

impl MemoryTree {
    /// The tree of `state`.
    ///
    /// # Errors
    /// None in practice: records always encode.
    pub fn of(state: &LedgerState) -> Result<Self, TreeError> {
        let mut tree = Self::default();
        tree.write(&changes(None, state))?;
        Ok(tree)
    }

    /// The root; of an empty tree, none.
    pub fn root(&self) -> Option<Hash> {
        self.root
    }

    /// Makes the tree what it is after `changes`, and returns its root.
    ///
    /// # Errors
    /// None in practice: the tree is always whole.
    pub fn write(&mut self, changes: &Changes) -> Result<Hash, TreeError> {
        let update = self.update(changes)?;
        let root = update.root;
        self.accept(update);
        Ok(root)
    }

    /// Writes what [`StateTree::update`] computed.
    pub fn accept(&mut self, TreeUpdate { root, batch }: TreeUpdate) {
        self.nodes.extend(batch.node_batch.nodes().iter().map(|(key, node)| (key.clone(), node.clone())));
        for ((_, key), value) in batch.node_batch.values() {
            match value {
                Some(value) => drop(self.values.insert(key.0, value.clone())),
                None => drop(self.values.remove(&key.0)),
            }
        }
        for stale in &batch.stale_node_index_batch {
            self.nodes.remove(&stale.node_key);
        }
        self.version += 1;
        self.root = Some(root);
    }
}

impl StateTree for MemoryTree {
    fn update(&self, changes: &Changes) -> Result<TreeUpdate, TreeError> {
        update(self, self.version, changes)
    }

    fn prove(&self, key: &Key) -> Result<(Option<Record>, StateProof), TreeError> {
        prove(self, self.version.saturating_sub(1), key)
    }
}

impl TreeReader for MemoryTree {
    fn get_node_option(&self, key: &NodeKey) -> anyhow::Result<Option<Node>> {
        Ok(self.nodes.get(key).cloned())
    }

    fn get_value_option(&self, _: Version, key: KeyHash) -> anyhow::Result<Option<OwnedValue>> {
        Ok(self.values.get(&key.0).cloned())
    }

    fn get_rightmost_leaf(&self) -> anyhow::Result<Option<(NodeKey, LeafNode)>> {
        Ok(None)
    }
}
