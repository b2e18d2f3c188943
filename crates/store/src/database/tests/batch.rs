//! Many blocks at once are the same as one after the other, and all or nothing.

use super::*;

/// The blocks of a chain, each as it was made.
fn history(blocks: usize) -> (TempDir, Vec<Next>) {
    let place = TempDir::new().unwrap();
    let (store, mut tip) = Store::open(&place.path().join("one"), &spec(), StoreOptions::default()).unwrap();
    let made = (0..blocks).map(|_| {
        let next = next(&store, &tip);
        store.commit(&next, Some(b"certificate")).unwrap();
        tip = next.tip();
        next
    });
    let made = made.collect();
    (place, made)
}

#[test]
fn a_batch_equals_single_commits() {
    let options = StoreOptions { retain: 7, ..StoreOptions::default() };
    let (_place, made) = history(40);
    let place = TempDir::new().unwrap();
    let (path, mut header) = (place.path().join("all"), None);
    let (store, mut tip) = Store::open(&path, &spec(), options).unwrap();
    for together in made.chunks(15) {
        let mut batch = store.batch().unwrap();
        for one in together {
            // Carried out on the batch's own tree, with what it wrote a moment ago.
            let next = tip.check(&batch.tree().unwrap(), &one.block, NonZeroUsize::MIN).unwrap();
            assert_eq!(next.update.root, one.update.root);
            batch.push(&next, Some(b"certificate")).unwrap();
            tip = next.tip();
        }
        assert_eq!(store.read().unwrap().head().height.0 % 15, 0, "no reader sees a part of it");
        batch.commit().unwrap();
        header = Some(tip.header.clone());
    }
    let reader = store.read().unwrap();
    assert_eq!(
        (Some(reader.head().clone()), reader.certificate(BlockHeight(23)).unwrap()),
        (header, Some(b"certificate".to_vec()))
    );
    assert_eq!(reader.block(BlockHeight(23)).unwrap().as_ref(), Some(&made[22].block));
    assert!(reader.oldest().unwrap().0 >= 33, "it prunes as well");
    drop((reader, store));
    let (_, again) = Store::open(&path, &spec(), options).unwrap();
    assert_eq!(again, tip, "and opens with its root checked");
}

#[test]
fn a_batch_that_is_dropped_or_does_not_follow_changes_nothing() {
    let (_place, made) = history(6);
    let place = TempDir::new().unwrap();
    let (store, tip) = Store::open(&place.path().join("all"), &spec(), StoreOptions::default()).unwrap();
    let mut batch = store.batch().unwrap();
    made.iter().take(3).for_each(|next| batch.push(next, None).unwrap());
    assert!(matches!(batch.push(&made[5], None), Err(StoreError::Order { .. })));
    drop(batch);
    assert_eq!(store.read().unwrap().head(), &tip.header);
    let mut batch = store.batch().unwrap();
    made.iter().for_each(|next| batch.push(next, None).unwrap());
    batch.commit().unwrap();
    assert_eq!(store.read().unwrap().head(), &made[5].block.header);
}
