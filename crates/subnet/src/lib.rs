//! A subnet's live part: finding experts, scoring miners and routing queries. Pure: time, randomness
//! and data come in as arguments.
//!
//! *Finding.* [`ExpertRecord`]s are signed, sequenced and expiring; [`SignedRecord`] is one that was verified. The
//! [`Index`] holds them, a [`Filter`] selects among them, and the [`directory`] serves them to nodes that
//! have not received them by gossip.
//!
//! *Scoring.* A [`mechanism`] draws tasks and scores answers, [`task`] has assignments and receipts, and
//! [`score`] turns task results into moving averages, live scores and weights.
//!
//! *Auditing.* An [`audit`] repeats an answer with the model that its receipt names.
//!
//! *Routing.* [`rank`] and [`route`] order the candidates and keep every number behind the order, and
//! [`mix`] combines several answers into one.
//!
//! [`ExpertRecord`]: nervure_protocol::ExpertRecord
//! [`SignedRecord`]: nervure_protocol::SignedRecord

pub mod audit;
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

pub use dice::{Dice, Seed};
pub use filter::{Filter, FilterError, MAX_FILTER_LEN};
pub use gate::{
    Candidate, Choice, ExcludedExpert, Exclusion, Note, Policy, PolicyError, PolicyRules, QueryTerms, Route,
    Trust, TrustFigures, rank, route,
};
pub use index::{Index, IndexLimits, IndexSearch, InsertOutcome, Page};
pub use neurons::{Registration, ScoredExpert};
pub use observations::{Observation, Observations};

/// The example of the README runs as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
