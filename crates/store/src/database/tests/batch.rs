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
        let mut batch = store.batch(KeptStates::All).unwrap();
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
    let mut batch = store.batch(KeptStates::All).unwrap();
    made.iter().take(3).for_each(|next| batch.push(next, None).unwrap());
    assert!(matches!(batch.push(&made[5], None), Err(StoreError::Order { .. })));
    drop(batch);
    assert_eq!(store.read().unwrap().head(), &tip.header);
    let mut batch = store.batch(KeptStates::All).unwrap();
    made.iter().for_each(|next| batch.push(next, None).unwrap());
    batch.commit().unwrap();
    assert_eq!(store.read().unwrap().head(), &made[5].block.header);
}

/// Whether the file holds entries of the state that no kept version needs.
fn state_entries(store: &Store) -> u64 {
    let transaction = store.db.begin_read().unwrap();
    let count = |table| redb::ReadableTableMetadata::len(&transaction.open_table(table).unwrap()).unwrap();
    count(tables::NODES) + count(tables::VALUES) + count(tables::STALE)
}

#[test]
fn a_batch_that_keeps_the_last_state_leads_to_the_same_block_and_writes_less() {
    let options = StoreOptions { retain: 7, ..StoreOptions::default() };
    let (_place, made) = history(60);
    let place = TempDir::new().unwrap();
    let path = place.path().join("all");
    let (store, mut tip) = Store::open(&path, &spec(), options).unwrap();
    // Single blocks before the batches: their states are listed as stale, and pruned later.
    for next in &made[..10] {
        store.commit(next, Some(b"certificate")).unwrap();
        tip = next.tip();
    }
    for together in made[10..50].chunks(20) {
        let mut batch = store.batch(KeptStates::Last).unwrap();
        for one in together {
            let next = tip.check(&batch.tree().unwrap(), &one.block, NonZeroUsize::MIN).unwrap();
            assert_eq!(next.update.root, one.update.root);
            batch.push(&next, Some(b"certificate")).unwrap();
            tip = next.tip();
        }
        batch.commit().unwrap();
        let reader = store.read().unwrap();
        assert_eq!(reader.oldest().unwrap(), tip.header.height, "only the last state is kept");
        assert_eq!(reader.tip(&spec()).unwrap(), tip);
        let account = Key::Account(key(0).node_id());
        let (record, proof) = reader.prove(&account).unwrap();
        assert_eq!(proof.verify(&tip.header.state, &record.unwrap()), Ok(()));
        assert!(matches!(reader.prove_at(BlockHeight(9), &account), Err(StoreError::NotKept { .. })));
    }
    let reader = store.read().unwrap();
    for next in &made[..50] {
        assert_eq!(reader.block(next.block.header.height).unwrap().as_ref(), Some(&next.block));
    }
    drop((reader, store));
    let (store, again) = Store::open(&path, &spec(), options).unwrap();
    assert_eq!(again, tip);
    let coalesced = state_entries(&store);
    store.commit(&made[50], None).unwrap();
    assert_eq!(
        store.read().unwrap().oldest().unwrap(),
        BlockHeight(50),
        "what is not kept does not come back"
    );
    made[51..].iter().for_each(|next| store.commit(next, None).unwrap());
    assert_eq!(store.read().unwrap().tip(&spec()).unwrap(), made[59].tip(), "single blocks follow");
    let (single, _) = Store::open(&place.path().join("one"), &spec(), options).unwrap();
    made[..50].iter().for_each(|next| single.commit(next, None).unwrap());
    assert!(coalesced < state_entries(&single), "{coalesced}");
    assert_eq!(store.batch(KeptStates::Last).unwrap().commit().map_err(|error| error.to_string()), Ok(()));
    // Seven states are kept again, and not those of the batch.
    let reader = store.read().unwrap();
    assert_eq!(reader.oldest().unwrap(), BlockHeight(53), "an empty batch forgets no state");
    for height in 53..=60 {
        let (record, proof) = reader.prove_at(BlockHeight(height), &Key::Chain).unwrap();
        let root = made[height as usize - 1].block.header.state;
        assert_eq!(proof.verify(&root, &record.unwrap()), Ok(()), "{height}");
    }
}
