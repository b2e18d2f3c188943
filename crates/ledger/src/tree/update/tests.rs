use std::collections::BTreeMap;

use proptest::{collection, prelude::*};

use super::*;
use crate::tree::MemoryTree;

/// What a block writes, or removes, at each of a few places.
type Wishes = BTreeMap<u8, Option<u8>>;

/// Places of which half have 62 nibbles in common, so that chains of nodes are made and collapse.
fn place_of(number: u8) -> KeyHash {
    match number % 2 {
        0 => KeyHash(*Hash::of("nervure/test/place", &[&[number]]).as_bytes()),
        _ => {
            let mut bytes = [7; 32];
            bytes[31] = number;
            KeyHash(bytes)
        }
    }
}

/// Values that are written, and keys that are removed.
type Writes = (Vec<(KeyHash, OwnedValue)>, Vec<(KeyHash, Option<OwnedValue>)>);

fn apart(wishes: &Wishes) -> Writes {
    let (mut written, mut removed) = (Vec::new(), Vec::new());
    for (number, value) in wishes {
        match value {
            Some(value) => written.push((place_of(*number), vec![*value])),
            None => removed.push((place_of(*number), None)),
        }
    }
    (written, removed)
}

/// The library's own update, one record after the other.
fn one_by_one(tree: &MemoryTree, version: Version, wishes: &Wishes) -> (RootHash, TreeUpdateBatch) {
    let all = wishes.iter().map(|(number, value)| (place_of(*number), value.map(|value| vec![value])));
    JellyfishMerkleTree::<_, TreeHasher>::new(tree).put_value_set(all, version).unwrap()
}

/// Where the tree has leaves and inner nodes. When a node was written may depend on the order of removals.
fn shape(tree: &MemoryTree) -> Vec<(String, bool)> {
    let mut shape: Vec<(String, bool)> = tree
        .nodes
        .iter()
        .map(|(key, node)| (format!("{:?}", key.nibble_path()), matches!(node, Node::Leaf(_))))
        .collect();
    shape.sort();
    shape
}

/// Proves every place of `tree` at `version`, there or not.
fn check_proofs(tree: &MemoryTree, version: Version, root: RootHash, held: &BTreeMap<u8, u8>) {
    let reader = JellyfishMerkleTree::<_, TreeHasher>::new(tree);
    for number in 0..40 {
        let (value, proof) = reader.get_with_proof(place_of(number), version).unwrap();
        assert_eq!(value, held.get(&number).map(|value| vec![*value]));
        proof.verify(root, place_of(number), value).unwrap();
        assert!(proof.verify(root, place_of(number), Some(vec![9, 9])).is_err(), "another value");
    }
}

fn accept(tree: &mut MemoryTree, (root, batch): (RootHash, TreeUpdateBatch)) {
    tree.accept(TreeUpdate { root: Hash::from_bytes(root.0), batch });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn one_pass_makes_the_tree_that_one_record_after_the_other_makes(
        first in collection::btree_map(0..40_u8, any::<u8>().prop_map(Some), 1..30),
        later in collection::vec(collection::btree_map(0..40_u8, any::<Option<u8>>(), 1..20), 1..6),
    ) {
        let (mut tree, mut expected, mut held) = (MemoryTree::default(), MemoryTree::default(), BTreeMap::new());
        for (version, wishes) in [first].iter().chain(&later).enumerate() {
            let version = version as Version;
            let (written, removed) = apart(wishes);
            let update = carry_out(&tree, version, written, removed).unwrap();
            let root = update.0;
            accept(&mut tree, update);
            let other = one_by_one(&expected, version, wishes);
            accept(&mut expected, other);
            prop_assert_eq!(tree.root(), expected.root());
            // No node is missing, and none is left that no way leads to.
            prop_assert_eq!(shape(&tree), shape(&expected));
            for (number, value) in wishes {
                match value {
                    Some(value) => drop(held.insert(*number, *value)),
                    None => drop(held.remove(number)),
                }
            }
            check_proofs(&tree, version, root, &held);
        }
    }
}

#[test]
fn all_records_can_go_and_come_back() {
    let all = |value: Option<u8>| -> Wishes { (0..9).map(|number| (number, value)).collect() };
    let mut tree = MemoryTree::default();
    let mut roots = Vec::new();
    for (version, value) in [Some(1), None, Some(1)].into_iter().enumerate() {
        let (written, removed) = apart(&all(value));
        let update = carry_out(&tree, version as Version, written, removed).unwrap();
        roots.push(update.0);
        accept(&mut tree, update);
    }
    assert_eq!((roots[0], roots[1]), (roots[2], JellyfishMerkleTree::<MemoryTree, TreeHasher>::EMPTY_ROOT));
}
