//! The machine under a simulated node: a disk that loses unsynced writes, and power that can fail.

use nervure_primitives::BlockHeight;
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use crate::bft::{Effect, Host, SignerRecord, WalEntry};

/// Written data: synced, which survives a crash, and unsynced.
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

    /// Fails the power: any tail of the unsynced writes is lost. Returns whether one was.
    pub(super) fn crash(&mut self, rng: &mut ChaCha8Rng) -> bool {
        let kept = rng.random_range(0..=self.unsynced.len());
        let lost_entries = kept < self.unsynced.len();
        let lost = lost_entries || self.unsynced_record.is_some();
        self.unsynced.truncate(kept);
        self.log.append(&mut self.unsynced);
        // The record is written after the log, so it is lost if any entry is.
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

    /// Loses everything. Only Byzantine nodes do.
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }
}

/// Performs effects until the power fails.
#[derive(Debug, Default)]
pub(super) struct Machine {
    pub(super) disk: Disk,
    /// How many more effects are performed.
    pub(super) effects_until_crash: Option<u32>,
    /// Effects for the simulated network and application.
    pub(super) host_effects: Vec<Effect>,
}

/// The power failed.
#[derive(Debug, thiserror::Error)]
#[error("crashed")]
pub(super) struct CrashError;

impl Host for Machine {
    type Error = CrashError;

    fn perform(&mut self, effect: Effect) -> Result<(), CrashError> {
        match self.effects_until_crash.as_mut() {
            Some(0) => return Err(CrashError),
            Some(effects_until_crash) => *effects_until_crash -= 1,
            None => {}
        }
        match effect {
            Effect::Append(entry) => self.disk.unsynced.push(entry),
            Effect::SaveSigner(record) => self.disk.unsynced_record = Some(record),
            Effect::Sync => self.disk.sync(),
            effect => self.host_effects.push(effect),
        }
        Ok(())
    }
}
