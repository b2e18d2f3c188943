//! Routes a query: selects experts, asks them with hedging and failover, and combines the answers of several.
//!
//! # Design
//! [`Router::ask`] takes a [`Query`](nervure_api::Query) and gives an [`AnswerStream`](nervure_api::AnswerStream) that
//! has started. `select` ranks the experts; then, by strategy:
//!
//! | strategy | module | answer |
//! | --- | --- | --- |
//! | `best`, `hedge`, `race:N` | `failover`, `race`, `resumable` | one expert's; another continues it if it fails |
//! | `vote:N`, `average:N` | `ensemble` | one made of several whole answers |
//! | `mix:N` | `mixture` | one text that several write byte by byte |
//!
//! The router reaches the world through an [`Environment`]: experts through [`Dial`], records and trust through
//! [`Catalog`] and [`TrustSource`], the wall clock through [`Clock`], randomness through [`Entropy`]. Durations are
//! tokio's, which tests pause: so thousands of seeded runs fit in seconds, and the same seed gives the same trace.
//!
//! Until an expert has started to answer, another can replace it and the asker does not notice. After that, an answer
//! is continued by another expert from the same byte or not at all.
//!
//! # Hazards
//! *Dropping cancels.* Dropping a future or a stream of this crate drops every query that it has with experts, and
//! gives their places in the in-flight counts back.

mod attempt;
mod body;
mod collect;
mod dial;
mod direct;
mod ensemble;
mod environment;
mod failover;
mod failure;
#[cfg(test)]
mod fake;
mod group;
mod hedge;
mod in_flight;
mod metrics;
mod mixture;
pub mod price;
mod race;
mod receipt;
mod resumable;
mod router;
mod select;
mod span;
mod trust_table;
mod view;

pub use dial::{AnswerEnd, AnswerItem, Dial, DialError, EventStream, ExpertQuery};
pub use direct::{DirectAnswer, DirectError, DirectQuery};
pub use environment::{
    Catalog, Clock, ComposedPiece, Composer, Entropy, Environment, TrustSnapshot, TrustSource,
};
pub use metrics::RouterMetrics;
pub use mixture::{WINDOW_BYTES, WINDOW_KEPT_BYTES};
pub use receipt::{AnswerReceipt, ReceiptFault, check_expert};
pub use resumable::with_prefix;
pub use router::Router;
pub use select::parse_filter;
pub use trust_table::{NeuronTrust, SubnetTrust, TrustTable};
pub use view::{TrustView, expert_view};

/// The example of the README runs as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
