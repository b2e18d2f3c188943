//! Assignments and receipts: which task was set to which miners, and what they answered.
//!
//! # Design
//! An [`Assignment`] is gossiped: a validator's statement that it set *a* task to *these* miners until a deadline. It
//! holds a [`commitment`] to the content, never the content, so that the validator cannot change afterwards what it
//! asked, and no node learns it before. A [`Receipt`] is the miner's signed statement to the asker that it answered
//! *this* request of *this* asker with *that*. Miners sign one for every query, because they cannot tell tasks from
//! queries.
//!
//! # What a hostile peer can do
//! * *Forge*: the node that an assignment or a receipt names must have signed it, for this mesh and this kind of
//!   statement.
//! * *Replay a receipt*: it binds asker, miner, query, request and answer, and [`PendingQueries`] settles a query once.
//! * *Replay an assignment*, or copy its commitment: an assignment ends, and the commitment binds the validator.
//! * *Flood*: sizes and counts are bounded here, and [`Assignments`] keeps a bounded number, of each validator and in
//!   all.
//!
//! # Hazard
//! A miner that is named in an assignment and then asked something by that validator can guess that it is being
//! tested. Gossip an assignment together with its requests, not ahead of them, and let validators ask for users too.
//!
//! [`Assignment`]: nervure_protocol::Assignment
//! [`commitment`]: nervure_protocol::commitment
//! [`Receipt`]: nervure_protocol::Receipt

mod assignments;
mod pending_queries;

pub use assignments::{AssignmentOutcome, Assignments, MAX_ASSIGNMENTS, MAX_PER_VALIDATOR};
pub use pending_queries::{MAX_PENDING_QUERIES, PendingQueries, PendingQuery, SettleError};
