//! The documents, error codes, paths and typed client of a node's HTTP API.
//!
//! A node encodes its answers with the types that a client decodes them with: each `*View` is `Serialize` and
//! `Deserialize`. The same crate has the query itself ([`Query`], [`AnswerStream`]) as a program states it to a router
//! or to a node in its own process.
//!
//! Text in an answer may come from a remote node (the name of a model, an expert's error message). It is data: print it
//! bounded and escaped.

// A variant that is added to one of our enums has to be looked at wherever a client or a server tells variants apart.
#![deny(clippy::wildcard_enum_match_arm, clippy::match_wildcard_for_single_variants)]

mod account;
mod ask;
mod audit;
mod bounded;
mod checkpoint;
mod client;
mod error;
mod error_body;
mod expert;
mod light;
pub mod paths;
mod places;
mod proposal;
mod query;
mod route;
mod source;
mod status;
mod strategy;
mod subnet;
mod terms;
mod trace;
mod usage;
mod validator;

// Documents: every type of these modules is one.
pub use account::*;
pub use ask::*;
pub use audit::*;
pub use bounded::{ask_within_bounds, wait_within};
pub use checkpoint::*;
pub use client::{AskLines, Client, ClientError, Endpoint, ParseEndpointError};
pub use error::{ApiErrorCode, FailedAttempt, ServiceError};
pub use error_body::*;
pub use expert::*;
pub use light::*;
pub use places::{NoPlace, Place, Places, Waiting};
pub use proposal::*;
pub use query::{AnswerStream, AnswerSummary, Query, QueryTarget};
pub use route::*;
pub use source::SourceError;
pub use status::*;
pub use strategy::{MAX_EXPERTS, Strategy, StrategyError};
pub use subnet::*;
pub use terms::*;
pub use trace::*;
pub use usage::*;
pub use validator::*;

/// The example of the README runs as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
