//! How the ledger lasts: the database of the chain and the write-ahead log of consensus.
//!
//! [`Store`] keeps blocks, certificates, events and the state tree in one redb file; [`Wal`] is what the
//! consensus engine replays after a crash. [`fail_point`] names the places where a test can have the
//! process die.
//!
//! **Claim.** After a kill at any instant the store has the last committed block and nothing of the next
//! one, and the log has every vote that left the node.

pub mod fail_point;

mod database;
mod metrics;
mod wal;

pub use database::{
    Batch, EpochEnd, History, KeptStates, Reader, Sizes, Store, StoreError, StoreOptions, StoredEpoch,
};
pub use metrics::{StoreMetrics, WalMetrics};
pub use wal::{LogOwner, RecoveredLog, Wal, WalError};

/// The example of the README runs as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
