//! The machine under a simulated node: a disk that forgets, and a plug that can be pulled.

use nervure_primitives::BlockHeight;
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use crate::bft::{Effect, Host, SignerRecord, WalEntry};

/// What is written, and what of it would survive.
#[derive(Clone, Debug, Default)]
pub(super) struct Disk {
    log: Vec<WalEntry>,
    record: SignerRecord,
    unsynced: Vec<WalEntry>,
    unsynced_record: Option<SignerRecord>,
}

impl Disk {
    fn sync(&mut self) {
        self.log.append(&mut self.unsynced);
        self.record = self.unsynced_record.take().unwrap_or(self.record);
    }

    /// The power goes: any tail of what was not synced is lost. True if something was.
    pub(super) fn crash(&mut self, rng: &mut ChaCha8Rng) -> bool {
        let kept = rng.random_range(0..=self.unsynced.len());
        let lost_entries = kept < self.unsynced.len();
        let lost = lost_entries || self.unsynced_record.is_some();
        self.unsynced.truncate(kept);
        self.log.append(&mut self.unsynced);
        // The record is written after the log.
        if !lost_entries && rng.random_bool(0.5) {
            self.record = self.unsynced_record.unwrap_or(self.record);
        }
        self.unsynced_record = None;
        lost
    }

    /// The log for a new height starts empty.
    pub(super) fn begin(&mut self, height: BlockHeight) {
        self.log.retain(|entry| entry.height() >= height);
        self.unsynced.retain(|entry| entry.height() >= height);
    }

    pub(super) fn log(&self) -> Vec<WalEntry> {
        self.log.clone()
    }

    pub(super) const fn record(&self) -> SignerRecord {
        self.record
    }

    /// Loses everything, as only the Byzantine do.
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }
}

/// Performs effects until the plug is pulled.
#[derive(Debug, Default)]
pub(super) struct Machine {
    pub(super) disk: Disk,
    /// How many more effects it lives for.
    pub(super) fuse: Option<u32>,
    /// What the world has to do.
    pub(super) wishes: Vec<Effect>,
}

/// The plug was pulled.
#[derive(Debug, thiserror::Error)]
#[error("crashed")]
pub(super) struct Crashed;

impl Host for Machine {
    type Error = Crashed;

    fn perform(&mut self, effect: Effect) -> Result<(), Crashed> {
        match self.fuse.as_mut() {
            Some(0) => return Err(Crashed),
            Some(fuse) => *fuse -= 1,
            None => {}
        }
        match effect {
            Effect::Append(entry) => self.disk.unsynced.push(entry),
            Effect::SaveSigner(record) => self.disk.unsynced_record = Some(record),
            Effect::Sync => self.disk.sync(),
            wish => self.wishes.push(wish),
        }
        Ok(())
    }
}
