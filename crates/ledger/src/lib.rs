//! What validators agree on: the mesh spec and a pure state machine.
//!
//! A [`spec::MeshSpec`] defines a mesh; the hash of its canonical form is the mesh id. Nodes with the
//! same spec join the same mesh, and a signature made on one mesh is worth nothing on another.
//! [`LedgerState::genesis`](state::LedgerState::genesis) is its first state, [`LedgerState::advance`](state::LedgerState::advance)
//! the only way to the next one; [`chain`] makes blocks of it, whose headers commit to the root of the
//! [`tree`] of everything that the state knows. [`economics`] holds the rules of emission, prices and
//! places as integer functions.

pub mod accounts;
pub mod anchors;
pub mod block;
pub mod block_weight;
pub mod chain;
pub mod checkpoint;
pub mod deposits;
pub mod economics;
pub mod event;
pub mod governance;
pub mod lane;
pub mod mempool;
pub mod multisig;
pub mod nodes;
pub mod params;
pub mod proposals;
pub mod proxies;
pub mod recovery;
pub mod roster;
pub mod snapshot;
pub mod spec;
pub mod state;
pub mod subnet;
pub mod transaction;
pub mod tree;
pub mod upgrade;
pub mod vesting;
mod wide;

#[cfg(any(test, feature = "testing"))]
pub mod testing;

/// The example of the README runs as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
