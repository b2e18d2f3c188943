//! A disk that loses what was not synced: after a crash at any write, the last committed block is there.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::{disk::Disk, *};

fn open(disk: &Disk) -> Result<(Store, Tip), StoreError> {
    Store::open_on(disk.clone(), &spec(), StoreOptions { retain: 5, ..StoreOptions::default() })
}

/// Commits blocks until the power fails; the last tip that was committed, if any was, and the one after.
fn run(disk: &Disk) -> (Option<Tip>, Option<Tip>) {
    let Ok((store, mut tip)) = open(disk) else { return (None, None) };
    for _ in 0..6 {
        let Ok(reader) = store.read() else { return (Some(tip), None) };
        let draft = Draft::uncertified(&tip, vec![pay(&tip, 0, 1)]);
        let Ok(next) = tip.next(&reader, draft, NonZeroUsize::MIN) else { return (Some(tip), None) };
        if store.commit(&next, None).is_err() {
            return (Some(tip), Some(next.tip()));
        }
        tip = next.tip();
    }
    (Some(tip), None)
}

/// Whether what is found after a crash at operation `at` is what was committed.
fn survives(begun: &[u8], at: usize, seed: u64, honest: bool) -> bool {
    let disk = Disk::new(begun.to_vec(), honest);
    disk.fails_after(at);
    let (committed, coming) = run(&disk);
    let found = disk.after_crash(&mut ChaCha8Rng::seed_from_u64(seed));
    let again = Disk::new(found, true);
    let Ok((store, tip)) = open(&again) else { return false };
    let right = match &committed {
        None => tip.header.height == BlockHeight(2),
        Some(committed) => tip == *committed || Some(&tip) == coming.as_ref(),
    };
    right && store.commit(&next(&store, &tip), None).is_ok()
}

/// A disk with two blocks on it, closed in good order.
fn begun() -> Vec<u8> {
    let disk = Disk::new(Vec::new(), true);
    let (store, tip) = open(&disk).unwrap();
    grow(&store, tip, 2);
    drop(store);
    disk.after_crash(&mut ChaCha8Rng::seed_from_u64(0))
}

#[test]
fn a_crash_at_any_operation_loses_no_committed_block() {
    let begun = begun();
    for at in 0..120 {
        assert!(survives(&begun, at, at as u64, true), "operation {at}");
    }
}

#[test]
fn a_disk_that_lies_about_syncing_is_caught_by_this_test() {
    let begun = begun();
    let lost = (0..60).filter(|at| !survives(&begun, *at, 1, false)).count();
    assert!(lost > 10, "only {lost} of 60 crashes lost something");
}
