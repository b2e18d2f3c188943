//! What a block does to the tree: all records that it writes in one pass from the root, so that each node on their ways
//! is read, changed and hashed once.
//!
//! The library's pass over many records only writes. Removals come before it, one by one, and the pass reads the tree
//! that they leave.

use jmt::{
    JellyfishMerkleTree, KeyHash, OwnedValue, RootHash, Version,
    storage::{LeafNode, Node, NodeKey, TreeReader, TreeUpdateBatch},
};
use nervure_primitives::{Hash, cbor};

use super::{Changes, TreeError, TreeHasher, TreeUpdate, guarded, place};

/// The tree of `version` after `changes`, computed from the one before and not yet written anywhere.
///
/// # Errors
/// When `before` does not hold the version before.
pub fn update(before: &impl TreeReader, version: u64, changes: &Changes) -> Result<TreeUpdate, TreeError> {
    let (mut written, mut removed) = (Vec::with_capacity(changes.len()), Vec::new());
    for (key, record) in changes {
        match record {
            Some(record) => {
                let value = cbor::encode(record).map_err(|error| TreeError::new(version, error))?;
                written.push((place(key), value));
            }
            None => removed.push((place(key), None)),
        }
    }
    let (root, batch) = guarded(version, || carry_out(before, version, written, removed))?;
    Ok(TreeUpdate { root: Hash::from_bytes(root.0), batch })
}

fn carry_out(
    before: &impl TreeReader,
    version: Version,
    written: Vec<(KeyHash, OwnedValue)>,
    removed: Vec<(KeyHash, Option<OwnedValue>)>,
) -> anyhow::Result<(RootHash, TreeUpdateBatch)> {
    if written.is_empty() {
        return remove(before, version, removed);
    }
    // Version 0 has no tree before it, so that there is nothing to remove.
    if removed.is_empty() || version == 0 {
        return write(before, version, written);
    }
    let (_, batch) = remove(before, version, removed)?;
    let rest = Rest { before, version, batch };
    let (root, written) = write(&rest, version, written)?;
    Ok((root, merge(rest.batch, written, version)))
}

fn remove(
    tree: &impl TreeReader,
    version: Version,
    removed: Vec<(KeyHash, Option<OwnedValue>)>,
) -> anyhow::Result<(RootHash, TreeUpdateBatch)> {
    JellyfishMerkleTree::<_, TreeHasher>::new(tree).put_value_set(removed, version)
}

fn write(
    tree: &impl TreeReader,
    version: Version,
    written: Vec<(KeyHash, OwnedValue)>,
) -> anyhow::Result<(RootHash, TreeUpdateBatch)> {
    let tree = JellyfishMerkleTree::<_, TreeHasher>::new(tree);
    let (roots, batch) = tree.batch_put_value_sets(vec![written], None, version)?;
    let root = roots.first().ok_or_else(|| anyhow::anyhow!("an update without a root"))?;
    Ok((*root, batch))
}

/// Both steps as one update: what the first one wrote and the second one replaced was never there.
fn merge(removed: TreeUpdateBatch, written: TreeUpdateBatch, version: Version) -> TreeUpdateBatch {
    let TreeUpdateBatch { mut node_batch, mut stale_node_index_batch, .. } = removed;
    // A node of the first step that the second one reads is replaced under its own key.
    node_batch.merge(written.node_batch);
    stale_node_index_batch.extend(written.stale_node_index_batch);
    stale_node_index_batch.retain(|stale| stale.node_key.version() != version);
    TreeUpdateBatch { node_batch, stale_node_index_batch, node_stats: Vec::new() }
}

/// The tree after the removals of a version, seen as the version before it, which is where the second step begins.
struct Rest<'t, T> {
    before: &'t T,
    version: Version,
    batch: TreeUpdateBatch,
}

impl<T: TreeReader> TreeReader for Rest<'_, T> {
    fn get_node_option(&self, key: &NodeKey) -> anyhow::Result<Option<Node>> {
        let nodes = self.batch.node_batch.nodes();
        if key.nibble_path().is_empty() {
            // The root of the version before stands for that after the removals.
            return Ok(nodes
                .iter()
                .find(|(key, _)| key.nibble_path().is_empty())
                .map(|(_, node)| node.clone()));
        }
        match key.version() == self.version {
            true => Ok(nodes.get(key).cloned()),
            false => self.before.get_node_option(key),
        }
    }

    fn get_value_option(&self, version: Version, place: KeyHash) -> anyhow::Result<Option<OwnedValue>> {
        self.before.get_value_option(version, place)
    }

    fn get_rightmost_leaf(&self) -> anyhow::Result<Option<(NodeKey, LeafNode)>> {
        self.before.get_rightmost_leaf()
    }
}

#[cfg(test)]
mod tests;
