//! How long it takes until something about a miner is noticed.

use std::collections::BTreeMap;

use serde::Serialize;

/// Epochs within which something should be noticed.
pub(crate) const NOTICE_TIMEOUT: u64 = 10;

/// Slots of which something is to be noticed, since which epoch, and how long that took with others.
pub(crate) struct DetectionTimes {
    since: BTreeMap<usize, Waiting>,
    took: Vec<u64>,
    /// In how many epochs in a row it has to be noticed.
    steady: u64,
}

/// One that is waited for.
struct Waiting {
    from: u64,
    /// The first epoch of those in a row in which it was noticed.
    noticed: Option<u64>,
}

/// Times in epochs.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Times {
    pub(crate) noticed: usize,
    /// Still waited for at the end.
    pub(crate) waiting: usize,
    /// Of these, for more than [`NOTICE_TIMEOUT`] epochs: the others may have come a moment ago.
    pub(crate) overdue: usize,
    pub(crate) p50: u64,
    pub(crate) p95: u64,
}

impl DetectionTimes {
    /// What is noticed counts from the first of `steady` epochs in a row.
    pub(crate) fn new(steady: u64) -> Self {
        Self { since: BTreeMap::new(), took: Vec::new(), steady }
    }

    pub(crate) fn wait_for(&mut self, slot: usize, from: u64) {
        self.since.insert(slot, Waiting { from, noticed: None });
    }

    /// Waits no longer for those that are not wanted.
    pub(crate) fn retain(&mut self, wanted: impl Fn(&usize) -> bool) {
        self.since.retain(|slot, _| wanted(slot));
    }

    pub(crate) fn notice(&mut self, epoch: u64, noticed: impl Fn(&usize) -> bool) {
        let Self { since, took, steady } = self;
        since.retain(|slot, waiting| {
            if !noticed(slot) {
                waiting.noticed = None;
                return true;
            }
            let first = *waiting.noticed.get_or_insert(epoch);
            let is_steady = epoch + 1 - first >= *steady;
            if is_steady {
                took.push(first - waiting.from);
            }
            !is_steady
        });
    }

    /// The times until `epoch`.
    pub(crate) fn times(&self, epoch: u64) -> Times {
        let mut took = self.took.clone();
        took.sort_unstable();
        let at = |percent: usize| took.get((took.len() * percent / 100).min(took.len().saturating_sub(1)));
        let of = |percent| at(percent).copied().unwrap_or(0);
        let is_overdue = |waiting: &&Waiting| epoch.saturating_sub(waiting.from) > NOTICE_TIMEOUT;
        let overdue = self.since.values().filter(is_overdue).count();
        Times { noticed: took.len(), waiting: self.since.len(), overdue, p50: of(50), p95: of(95) }
    }
}
