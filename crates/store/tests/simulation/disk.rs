//! A disk in memory that loses what was not synced when the power fails.

use std::{collections::BTreeSet, io, sync::Arc};

use parking_lot::Mutex;
use rand::Rng;
use redb::StorageBackend;

/// Bytes that a disk writes at once or not at all.
const SECTOR: usize = 512;

/// What is on the disk for certain, and what was written since without a sync.
#[derive(Debug)]
struct Platter {
    safe: Vec<u8>,
    now: Vec<u8>,
    /// Sectors that differ, or may.
    dirty: BTreeSet<usize>,
    /// Operations until the power fails.
    left: usize,
    /// Whether a sync does what it says: the broken variant of a test has a disk that lies.
    honest: bool,
}

/// The disk. Clones are the same one.
#[derive(Clone, Debug)]
pub(crate) struct Disk(Arc<Mutex<Platter>>);

impl Disk {
    /// With these bytes on it.
    pub(crate) fn new(bytes: Vec<u8>, honest: bool) -> Self {
        let (safe, now, dirty) = (bytes.clone(), bytes, BTreeSet::new());
        Self(Arc::new(Mutex::new(Platter { safe, now, dirty, left: usize::MAX, honest })))
    }

    /// The power will fail after so many operations.
    pub(crate) fn fails_after(&self, operations: usize) {
        self.with(|disk| disk.left = operations);
    }

    /// What is found after the power failed: of every sector that was written and not synced, either.
    pub(crate) fn after_crash(&self, rng: &mut impl Rng) -> Vec<u8> {
        self.with(|disk| {
            let mut found = disk.safe.clone();
            found.resize(disk.now.len().max(found.len()), 0);
            for sector in &disk.dirty {
                let from = sector * SECTOR;
                let to = (from + SECTOR).min(disk.now.len());
                if from < to && found[from..to] != disk.now[from..to] && rng.random_bool(0.5) {
                    found[from..to].copy_from_slice(&disk.now[from..to]);
                }
            }
            found
        })
    }

    fn with<T>(&self, change: impl FnOnce(&mut Platter) -> T) -> T {
        change(&mut self.0.lock())
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

impl StorageBackend for Disk {
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
        self.with(|disk| {
            let (before, after) = (disk.now.len(), len as usize);
            disk.dirty.extend(before.min(after) / SECTOR..before.max(after).div_ceil(SECTOR));
            disk.now.resize(after, 0);
        });
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        self.spend()?;
        self.with(|disk| {
            if disk.honest {
                disk.safe.resize(disk.now.len(), 0);
                for sector in std::mem::take(&mut disk.dirty) {
                    let from = (sector * SECTOR).min(disk.now.len());
                    let to = (from + SECTOR).min(disk.now.len());
                    disk.safe[from..to].copy_from_slice(&disk.now[from..to]);
                }
            }
        });
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.spend()?;
        self.with(|disk| {
            let (from, to) = (offset as usize, offset as usize + data.len());
            disk.now[from..to].copy_from_slice(data);
            disk.dirty.extend(from / SECTOR..to.div_ceil(SECTOR));
        });
        Ok(())
    }
}
