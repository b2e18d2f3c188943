//! Assignments and receipts: which task was set to which miners, and what they answered.
//!
//! # Design
//! At a regular pace, whatever it asks, a validator gossips a [`TaskBatch`]: a root over what it sets until a moment, if
//! anything ([`OpenBatch`] makes it). After that moment it opens each assignment in it. So the validator cannot change
//! afterwards what it asked of whom, and a miner learns from gossip neither that it is being tested nor by which
//! question. A [`Receipt`] is the miner's signed statement to the asker that it answered *this* request of *this* asker
//! with *that*. Miners sign one for every query, because they cannot tell tasks from queries.
//!
//! What a task looks like on the wire follows [`Traffic`]: the fields that users' queries have, as gateways count them.
//!
//! # What a hostile peer can do
//! * *Forge*: the node that a batch or a receipt names must have signed it, for this mesh and this kind of statement; an
//!   opening must lead to the root.
//! * *Replay a receipt*: it binds asker, miner, query, request and answer, and [`PendingQueries`] settles a query once.
//! * *Replay a batch*, or copy its root: a batch ends, and its leaves bind the validator.
//! * *Flood*: sizes and counts are bounded here, and [`Assignments`] keeps a bounded number, of each validator and in
//!   all.
//!
//! # Hazard
//! Form is not everything: a miner also sees which node asks. Validators ask through gateways where these serve.
//!
//! [`TaskBatch`]: nervure_protocol::TaskBatch
//! [`Receipt`]: nervure_protocol::Receipt

mod assignments;
mod batch;
mod draw_gateway;
mod draw_miners;
mod pending_queries;
mod schedule;
mod traffic;

pub use assignments::{AssignmentOutcome, Assignments, MAX_BATCHES, MAX_PER_VALIDATOR};
pub use batch::{BatchPlan, OpenBatch};
pub use draw_gateway::draw_gateway;
pub use draw_miners::{NewMiner, draw_miners};
pub use pending_queries::{MAX_PENDING_QUERIES, PendingQueries, PendingQuery, SettleError};
pub use schedule::{Asking, askings, moments};
pub use traffic::{MAX_TASK_BYTES, MIN_DEADLINE, QueryShape, Series, Traffic, TrafficCounter};
