//! What a subnet does live: which experts there are, what they are worth, and which of them is asked. Pure: time,
//! randomness and data come in as arguments.
//!
//! *Finding.* [`ExpertRecord`]s are signed, sequenced and expiring; [`SignedRecord`] is one that was verified. The
//! [`Index`] holds them, a [`Filter`] selects among them, and the [`directory`] hands them to whoever has not heard
//! of them.
//!
//! *Scoring.* A [`mechanism`] draws tasks and judges answers; [`task`] is what travels about them, and [`score`]
//! makes running averages, weights and opinions of what came back.
//!
//! *Asking.* [`rank`] and [`route`] decide whom to ask, keeping every number behind the choice, and [`mix`] makes one
//! answer of several.

mod dice;
pub mod directory;
mod filter;
mod gate;
mod index;
pub mod mechanism;
pub mod mix;
mod neurons;
mod observations;
pub mod score;
pub mod task;
#[cfg(test)]
mod testing;

pub use dice::{Dice, Seed};
pub use filter::{Filter, FilterError, MAX_FILTER_LEN};
pub use gate::{
    Candidate, Choice, Exclusion, Filtered, Note, Policy, PolicyError, PolicyRules, Route, Terms, Trust,
    rank, route,
};
pub use index::{Find, Index, IndexLimits, Inserted, Page};
pub use neurons::Registration;
// For the crates that do not name nervure_protocol yet.
pub use nervure_protocol::{
    ExpertRecord, Neurons, RecordError, Registry, Score, SignedRecord,
    bounds::{MAX_RECORD_LEN, MAX_RECORD_LIFETIME as MAX_LIFETIME},
};
pub use observations::{Observation, Observations};
