//! The documents, error codes, paths and typed client of a node's HTTP API.
//!
//! A node encodes its answers with the types that a client decodes them with: each `*View` is `Serialize` and
//! `Deserialize`. The same crate has the query itself ([`Query`], [`AnswerStream`]) as a program states it to a router
//! or to a node in its own process.
//!
//! Text in an answer may come from a remote node (the name of a model, an expert's error message). It is data: print it
//! bounded and escaped.

mod account;
mod ask;
mod checkpoint;
mod client;
mod error;
mod error_body;
mod expert;
pub mod paths;
mod query;
mod route;
mod source;
mod status;
mod strategy;
mod subnet;
mod terms;
mod trace;

pub use account::{AccountView, SubmitBody, TransactionState, TransactionView};
pub use ask::{AskBody, AskLine};
pub use checkpoint::{
    AnchorRecordView, CheckpointPage, CheckpointRow, CheckpointView, EpochView, StateProofView,
    SubmissionView,
};
pub use client::{AskLines, Client, ClientError};
pub use error::{ErrorClass, FailedAttempt, ServiceError};
pub use error_body::{ErrorBody, ErrorDetail};
pub use expert::{CapabilityCount, Catalog, ExpertPage, ExpertSearch, ExpertView, ModelView};
pub use query::{AnswerStream, AnswerSummary, Query, QueryTarget};
pub use route::{ParticipantView, ReceiptView, RouteView, TakeoverView};
pub use status::{AnchorStatus, ChainStatus, NodeStatus, PeerPage, PeerView};
pub use strategy::{MAX_EXPERTS, Strategy, StrategyError};
pub use subnet::{NeuronView, NodeView, SubnetDetail, SubnetPage, SubnetView};
pub use terms::QueryTerms;
pub use trace::TraceView;

/// The example of the README runs as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
