//! A disk that loses what was not synced: after a crash at any write, the last committed block is there.

use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
};

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use redb::StorageBackend;

use super::*;

/// Bytes that a disk writes at once or not at all.
const SECTOR: usize = 512;

/// What is on the disk for certain, and what was written since without a sync.
#[derive(Debug, Default)]
struct Disk {
    safe: Vec<u8>,
    now: Vec<u8>,
    /// Operations until the power fails.
    left: usize,
    /// Whether a sync does what it says: the broken variant of this test has a disk that lies.
    honest: bool,
}

#[derive(Clone, Debug)]
struct Handle(Arc<Mutex<Disk>>);

impl Handle {
    fn with<T>(&self, change: impl FnOnce(&mut Disk) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn new(bytes: Vec<u8>, left: usize, honest: bool) -> Self {
        Self(Arc::new(Mutex::new(Disk { safe: bytes.clone(), now: bytes, left, honest })))
    }

    /// What is found after the power failed: of every sector that was written and not synced, either.
    fn after_crash(&self, rng: &mut ChaCha8Rng) -> Vec<u8> {
        self.with(|disk| {
            let mut found = disk.safe.clone();
            found.resize(disk.now.len().max(found.len()), 0);
            for (found, now) in found.chunks_mut(SECTOR).zip(disk.now.chunks(SECTOR)) {
                if found[..now.len()] != *now && rng.random_bool(0.5) {
                    found[..now.len()].copy_from_slice(now);
                }
            }
            found
        })
    }

    fn spend(&self) -> io::Result<()> {
        self.with(|disk| match disk.left.checked_sub(1) {
            Some(left) => {
                disk.left = left;
                Ok(())
            }
            None => Err(io::Error::other("the power failed")),
        })
    }
}

impl StorageBackend for Handle {
    fn len(&self) -> io::Result<u64> {
        Ok(self.with(|disk| disk.now.len() as u64))
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.with(|disk| {
            let from = disk.now.get(offset as usize..offset as usize + out.len());
            from.map(|bytes| out.copy_from_slice(bytes)).ok_or_else(|| io::Error::other("past the end"))
        })
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.spend()?;
        self.with(|disk| disk.now.resize(len as usize, 0));
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        self.spend()?;
        self.with(|disk| {
            if disk.honest {
                disk.safe = disk.now.clone();
            }
        });
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.spend()?;
        self.with(|disk| disk.now[offset as usize..offset as usize + data.len()].copy_from_slice(data));
        Ok(())
    }
}

fn open(disk: &Handle) -> Result<(Store, Tip), StoreError> {
    let options = Options { retain: 5, ..Options::default() };
    let path = Path::new("a disk of this test");
    let db = tables::guarded(path, || Database::builder().create_with_backend(disk.clone()))?;
    Store::on(db, path, &spec(), options)
}

/// Commits blocks until the power fails; the last tip that was committed, if any was, and the one after.
fn run(disk: &Handle) -> (Option<Tip>, Option<Tip>) {
    let Ok((store, mut tip)) = open(disk) else { return (None, None) };
    for _ in 0..6 {
        let Ok(reader) = store.read() else { return (Some(tip), None) };
        let transactions = vec![pay(&tip, 0, 1)];
        let Ok(next) = tip.next(&reader, transactions, NonZeroUsize::MIN) else { return (Some(tip), None) };
        if store.commit(&next, None).is_err() {
            return (Some(tip), Some(next.tip()));
        }
        tip = next.tip();
    }
    (Some(tip), None)
}

/// Whether what is found after a crash at operation `at` is what was committed.
fn survives(begun: &[u8], at: usize, seed: u64, honest: bool) -> bool {
    let disk = Handle::new(begun.to_vec(), at, honest);
    let (committed, coming) = run(&disk);
    let found = disk.after_crash(&mut ChaCha8Rng::seed_from_u64(seed));
    let again = Handle::new(found, usize::MAX, true);
    let Ok((store, tip)) = open(&again) else { return false };
    let right = match &committed {
        None => tip.header.height == BlockHeight(2),
        Some(committed) => tip == *committed || Some(&tip) == coming.as_ref(),
    };
    right && store.commit(&next(&store, &tip), None).is_ok()
}

/// A disk with two blocks on it, closed in good order.
fn begun() -> Vec<u8> {
    let disk = Handle::new(Vec::new(), usize::MAX, true);
    let (store, tip) = open(&disk).unwrap();
    grow(&store, tip, 2);
    drop(store);
    disk.with(|disk| disk.now.clone())
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
