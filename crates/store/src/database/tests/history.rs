//! Bodies and events behind the horizon are deleted, in bounded steps and together with a block; what light clients need
//! stays.

use std::num::NonZeroU64;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::{disk::Disk, *};

fn options(history: History) -> StoreOptions {
    StoreOptions { retain: 5, history, ..StoreOptions::default() }
}

fn last(blocks: u64) -> History {
    History::Last(NonZeroU64::new(blocks).unwrap())
}

fn open(place: &Place, history: History) -> (Store, Tip) {
    Store::open(&place.file(), &spec(), options(history)).unwrap()
}

/// Whether the body, events, header and certificate of a block are here.
fn kept(reader: &Reader, height: u64) -> [bool; 4] {
    let height = BlockHeight(height);
    [
        reader.block(height).unwrap().is_some(),
        reader.events(height).unwrap().is_some(),
        reader.header(height).unwrap().is_some(),
        reader.certificate(height).unwrap().is_some(),
    ]
}

#[test]
fn bodies_and_events_behind_the_horizon_go_and_headers_and_certificates_stay() {
    let place = Place::new();
    let (store, tip) = open(&place, last(8));
    assert_eq!(store.read().unwrap().blocks_from().unwrap(), BlockHeight(1), "the genesis has no body");
    grow(&store, tip, 30);
    let reader = store.read().unwrap();
    assert_eq!(reader.blocks_from().unwrap(), BlockHeight(23));
    (1..23).for_each(|height| assert_eq!(kept(&reader, height), [false, false, true, true], "{height}"));
    (23..=30).for_each(|height| assert_eq!(kept(&reader, height), [true; 4], "{height}"));
    assert_eq!(reader.epoch_ends(BlockHeight(u64::MAX), 9).unwrap().len(), 6, "ends of epochs stay");
}

/// The heights whose certificates are here.
fn certified(store: &Store, head: u64) -> Vec<u64> {
    let reader = store.read().unwrap();
    (1..=head).filter(|height| kept(&reader, *height)[3]).collect()
}

/// Whether other validators make the block after this one.
fn changes_validators(store: &Store, height: u64) -> bool {
    let header = store.read().unwrap().header(BlockHeight(height)).unwrap().unwrap();
    header.validators != header.next_validators
}

#[test]
fn behind_the_unbonding_certificates_stay_where_the_validators_change() {
    let place = Place::new();
    let (store, tip) = open(&place, last(8));
    let unbonding = tip.state.params().unbonding;
    assert!(unbonding > 8 && unbonding < 100);
    let head = 150;
    grow(&store, tip, head as usize);
    let horizon = head - unbonding + 1;
    let needed: Vec<u64> = (1..horizon).filter(|height| changes_validators(&store, *height)).collect();
    assert!(!needed.is_empty() && (needed.len() as u64) < horizon / 5, "{needed:?}");
    let expected: Vec<u64> = needed.iter().copied().chain(horizon..=head).collect();
    assert_eq!(certified(&store, head), expected);
    let reader = store.read().unwrap();
    for height in 1..=head {
        let next = expected.iter().find(|one| **one >= height).map(|one| BlockHeight(*one));
        assert_eq!(reader.certified_from(BlockHeight(height)).unwrap(), next);
    }
    assert_eq!(reader.checkpoint_from(BlockHeight(head + 1)).unwrap(), None, "it was never here");
}

#[test]
fn certificates_of_an_archive_are_thinned_in_bounded_steps_when_it_gets_a_horizon() {
    let place = Place::new();
    let (store, tip) = open(&place, History::Archive);
    grow(&store, tip, 190);
    assert_eq!(certified(&store, 190).len(), 190);
    drop(store);
    let (store, tip) = open(&place, last(8));
    let tips = grow(&store, tip, 1);
    let left = certified(&store, 191).len();
    assert!((191 - 64..191).contains(&left), "{left}");
    let tips = grow(&store, tips[1].clone(), 1);
    assert!(certified(&store, 192).len() < left);
    drop(store);
    // What was thinned is known across restarts.
    let (store, _) = open(&place, last(8));
    grow(&store, tips[1].clone(), 4);
    let unbonding = tips[0].state.params().unbonding;
    let old = certified(&store, 196).into_iter().filter(|height| *height <= 196 - unbonding);
    assert!(old.into_iter().all(|height| changes_validators(&store, height)));
}

#[test]
fn the_unbonding_of_the_last_block_is_the_default_horizon() {
    let place = Place::new();
    let (store, tip) = open(&place, History::Unbonding(NonZeroU64::MIN));
    let unbonding = tip.state.params().unbonding;
    grow(&store, tip, 60);
    assert_eq!(store.read().unwrap().blocks_from().unwrap(), BlockHeight(60 - unbonding + 1));
}

#[test]
fn an_earlier_block_is_read_with_its_state_as_long_as_that_is_kept() {
    let place = Place::new();
    let (store, tip) = open(&place, History::Archive);
    let tips = grow(&store, tip, 12);
    let reader = store.read().unwrap();
    let oldest = reader.oldest().unwrap();
    for height in oldest.0..=12 {
        assert_eq!(reader.tip_at(&spec(), BlockHeight(height)).unwrap(), tips[height as usize], "{height}");
    }
    for height in [oldest.0 - 1, 13, u64::MAX] {
        let error = reader.tip_at(&spec(), BlockHeight(height)).unwrap_err();
        assert!(matches!(error, StoreError::NotKept { .. }), "{error}");
    }
}

#[test]
fn an_archive_keeps_everything() {
    let place = Place::new();
    let (store, tip) = open(&place, History::Archive);
    grow(&store, tip, 30);
    let reader = store.read().unwrap();
    assert_eq!(reader.blocks_from().unwrap(), BlockHeight(1));
    (1..=30).for_each(|height| assert_eq!(kept(&reader, height), [true; 4], "{height}"));
}

/// An archive that gets a horizon has much to delete: no block deletes all of it.
#[test]
fn a_shorter_horizon_is_reached_in_bounded_steps() {
    let place = Place::new();
    let (store, tip) = open(&place, History::Archive);
    let tips = grow(&store, tip, 160);
    drop(store);
    let (store, tip) = open(&place, last(10));
    assert_eq!(tip, tips[160]);
    let from = |store: &Store| store.read().unwrap().blocks_from().unwrap().0;
    assert_eq!(from(&store), 1, "opening deletes nothing");
    let tips = grow(&store, tip, 1);
    assert_eq!(from(&store), 65);
    let tips = grow(&store, tips[1].clone(), 1);
    assert_eq!(from(&store), 129);
    grow(&store, tips[1].clone(), 1);
    assert_eq!(from(&store), 154, "163 - 10 + 1");
}

#[test]
fn a_chain_that_began_with_a_snapshot_has_blocks_from_the_next_one_on() {
    let (place, elsewhere) = (Place::new(), Place::new());
    let (store, tip) = open(&place, History::Archive);
    let tips = grow(&store, tip, 7);
    let (copy, tip) =
        Store::import(&elsewhere.file(), tips[7].clone(), Some(b"it"), options(History::Archive)).unwrap();
    assert_eq!(copy.read().unwrap().blocks_from().unwrap(), BlockHeight(8));
    grow(&copy, tip, 3);
    assert_eq!(copy.read().unwrap().blocks_from().unwrap(), BlockHeight(8));
}

/// A power failure at each operation: the blocks at and above the horizon of the block that is found are all there.
#[test]
fn a_crash_while_pruning_loses_no_block_above_the_horizon() {
    let open = |disk: &Disk| Store::open_on(disk.clone(), &spec(), options(last(3)));
    let disk = Disk::new(Vec::new(), true);
    let (store, tip) = open(&disk).unwrap();
    grow(&store, tip, 5);
    drop(store);
    let begun = disk.after_crash(&mut ChaCha8Rng::seed_from_u64(0));
    for at in 0..90 {
        let disk = Disk::new(begun.clone(), true);
        disk.fails_after(at);
        if let Ok((store, tip)) = open(&disk) {
            let next = next(&store, &tip);
            let _ = store.commit(&next, Some(b"certificate"));
        }
        let found = Disk::new(disk.after_crash(&mut ChaCha8Rng::seed_from_u64(at as u64)), true);
        let (store, tip) = open(&found).unwrap();
        let (head, reader) = (tip.header.height.0, store.read().unwrap());
        assert!(head == 5 || head == 6, "operation {at}: block {head}");
        (head - 2..=head).for_each(|height| assert_eq!(kept(&reader, height), [true; 4], "operation {at}"));
        assert_eq!(reader.blocks_from().unwrap().0, head - 2, "operation {at}");
    }
}
