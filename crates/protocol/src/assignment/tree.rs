//! The tree under the root of a batch: always of the same size, so that a root does not show how many tasks there are.

use nervure_primitives::Hash;

use crate::domains;

/// Hashes on the path from a leaf to the root.
const DEPTH: usize = 5;

/// Leaves of every batch: the most tasks that a validator sets in one.
pub const BATCH_LEAVES: usize = 1 << DEPTH;

/// The leaves of a batch and all nodes above them.
#[derive(Clone, Debug)]
pub struct TaskTree {
    /// The leaves first, the root last.
    levels: Vec<Vec<Hash>>,
}

impl TaskTree {
    /// The tree over these leaves, at most [`BATCH_LEAVES`]; `filler` gives those that are missing, and must not be
    /// predictable by others.
    pub fn new(leaves: impl IntoIterator<Item = Hash>, filler: impl FnMut(usize) -> Hash) -> Self {
        let mut leaves: Vec<Hash> = leaves.into_iter().take(BATCH_LEAVES).collect();
        leaves.extend((leaves.len()..BATCH_LEAVES).map(filler));
        let mut levels = vec![leaves];
        for _ in 0..DEPTH {
            let below = levels.last().map(Vec::as_slice).unwrap_or_default();
            levels.push(below.chunks_exact(2).map(|pair| node(&pair[0], &pair[1])).collect());
        }
        Self { levels }
    }

    /// The root.
    pub fn root(&self) -> Hash {
        self.levels.last().and_then(|level| level.first()).copied().unwrap_or(Hash::from_bytes([0; 32]))
    }

    /// The hashes beside the path from a leaf to the root.
    pub fn path(&self, index: u8) -> Vec<Hash> {
        let beside =
            |(height, level): (usize, &Vec<Hash>)| level.get((usize::from(index) >> height) ^ 1).copied();
        self.levels.iter().take(DEPTH).enumerate().filter_map(beside).collect()
    }
}

/// Whether a leaf of that number has a path of that length.
pub(super) fn is_path(index: u8, path: &[Hash]) -> bool {
    usize::from(index) < BATCH_LEAVES && path.len() == DEPTH
}

/// The root above `leaf`.
pub(super) fn root(leaf: Hash, index: u8, path: &[Hash]) -> Hash {
    let up = |below: Hash, (height, beside): (usize, &Hash)| match (index >> height) & 1 {
        0 => node(&below, beside),
        _ => node(beside, &below),
    };
    path.iter().take(DEPTH).enumerate().fold(leaf, up)
}

fn node(left: &Hash, right: &Hash) -> Hash {
    Hash::of(domains::TASK_NODE, &[left.as_bytes(), right.as_bytes()])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaf(number: usize) -> Hash {
        Hash::of("leaf", &[&number.to_be_bytes()])
    }

    #[test]
    fn every_leaf_has_a_path_to_the_root_and_to_no_other() {
        let tree = TaskTree::new((0..3).map(leaf), leaf);
        for index in 0..BATCH_LEAVES as u8 {
            let path = tree.path(index);
            assert!(is_path(index, &path));
            assert_eq!(root(leaf(index.into()), index, &path), tree.root());
            assert_ne!(root(leaf(99), index, &path), tree.root(), "another leaf");
            assert_ne!(root(leaf(index.into()), index ^ 1, &path), tree.root(), "another place");
        }
        assert!(!is_path(BATCH_LEAVES as u8, &tree.path(0)) && !is_path(0, &tree.path(0)[1..]));
    }

    #[test]
    fn a_tree_has_the_same_size_whatever_it_holds() {
        let sizes = [0, 1, BATCH_LEAVES, BATCH_LEAVES + 7].map(|count| {
            TaskTree::new((0..count).map(leaf), leaf).levels.iter().map(Vec::len).sum::<usize>()
        });
        assert!(sizes.iter().all(|size| *size == 2 * BATCH_LEAVES - 1), "{sizes:?}");
    }
}
