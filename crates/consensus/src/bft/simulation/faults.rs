//! The faults of a run, counted by kind.
//!
//! A fault counts when it takes effect, not when it is planned: a run in which no fault of a kind
//! took effect has not tested it.

use std::{collections::BTreeMap, fmt};

/// A kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum FaultKind {
    /// A packet was lost.
    Loss,
    /// A packet came twice.
    Duplicate,
    /// A packet was delayed past later ones.
    Reorder,
    /// A packet did not cross a partition.
    Partition,
    /// A node crashed.
    Crash,
    /// A crash lost entries that were not synced.
    LostWrites,
    /// A crash came in the middle of an input's effects.
    TornEffects,
    /// The power failed in the middle of a commit.
    TornCommit,
    /// A Byzantine validator sent different statements to different receivers.
    Equivocation,
    /// A Byzantine validator restarted without its log and signer's record.
    Amnesia,
    /// A Byzantine validator withheld a message.
    Silence,
    /// A Byzantine validator sent damaged bytes.
    Mutation,
    /// A Byzantine validator delayed a message.
    Delay,
    /// A second instance with the same key sent a message.
    Twin,
    /// A node listened for its own signatures after a start.
    Listening,
    /// A node caught up by a certificate.
    Sync,
    /// A Byzantine validator proposed a block with the time of its wrong clock.
    WrongTime,
    /// An honest node refused a valid block because of its time.
    Untimely,
}

impl FaultKind {
    /// All kinds.
    pub const ALL: [Self; 18] = [
        Self::Loss,
        Self::Duplicate,
        Self::Reorder,
        Self::Partition,
        Self::Crash,
        Self::LostWrites,
        Self::TornEffects,
        Self::TornCommit,
        Self::Equivocation,
        Self::Amnesia,
        Self::Silence,
        Self::Mutation,
        Self::Delay,
        Self::Twin,
        Self::Listening,
        Self::Sync,
        Self::WrongTime,
        Self::Untimely,
    ];
}

/// How often each kind happened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Faults(BTreeMap<FaultKind, u64>);

impl Faults {
    /// Counts a fault.
    pub(super) fn note(&mut self, kind: FaultKind) {
        *self.0.entry(kind).or_default() += 1;
    }

    /// How often `kind` happened.
    pub fn count(&self, kind: FaultKind) -> u64 {
        self.0.get(&kind).copied().unwrap_or(0)
    }

    /// Adds the faults of another run.
    pub fn add(&mut self, other: &Self) {
        for (kind, count) in &other.0 {
            *self.0.entry(*kind).or_default() += count;
        }
    }

    /// The kinds of faults that never happened.
    pub fn missing(&self) -> Vec<FaultKind> {
        FaultKind::ALL.into_iter().filter(|kind| self.count(*kind) == 0).collect()
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for kind in FaultKind::ALL {
            writeln!(f, "  {:<14} {:>12}", format!("{kind:?}"), self.count(kind))?;
        }
        Ok(())
    }
}
