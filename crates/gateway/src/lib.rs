//! The HTTP server of a node: the OpenAI API and the node's own API over a service trait.
//!
//! [`ROUTES`] has every route: it makes the router, the OpenAPI document ([`openapi_document`]) and the tables of the
//! documentation. A gateway also serves the OpenAI API. The server reaches the node through [`MeshService`] alone: no
//! swarm, no index, no query client.
//!
//! # What a hostile client can do, and what bounds it
//! * *Connect and stall*: connections are counted, headers and bodies have deadlines, and so has a client that
//!   stops reading. A cap on connections makes others wait; it is not a defence against a flood.
//! * *Send much*: headers, bodies, JSON depth, messages and names are bounded before they are processed
//!   ([`HttpLimits`]).
//! * *Query much*: queries in progress are counted; beyond the cap the response is 429 with `Retry-After`.
//! * *Spend much*: a named key has limits a day and a minute; each question reserves the most that it can use.
//! * *Leave mid-answer*: the response body owns the answer, so that dropping one drops the other and frees the expert.
//! * *Be a web page*: without keys, only names of this host are served, and no page of another origin that the operator
//!   did not allow. With keys, every request except `/healthz` needs one, and a browser shows answers to pages of
//!   allowed origins only.
//!
//! Text of clients and remote experts is escaped: in a header all but printable ASCII, in an error message what could
//! act on a terminal.

// A variant that is added to one of our enums has to get its status and its text here.
#![deny(clippy::wildcard_enum_match_arm, clippy::match_wildcard_for_single_variants)]

mod answer;
mod ask;
mod audits;
mod body;
mod client;
mod config;
mod connections;
mod error;
mod experts;
mod gen_ai;
mod guard;
mod items;
mod key;
mod keys;
mod ledger;
mod light;
mod messages;
mod metrics;
mod model_names;
mod ollama;
mod openai;
mod openapi;
mod origin;
mod proofs;
mod responses;
mod routes;
mod serve;
mod service;
mod state;
mod status;
mod streamed;
mod subnets;
mod terms;
mod traces;
mod usage;

pub use answer::CompleteAnswer;
pub use body::{HasLimits, JsonBody};
pub use config::{GatewayConfig, GatewayError, HttpLimits};
pub use connections::serve;
pub use error::ApiError;
pub use key::{ApiKey, ApiKeyError, MIN_SECRET_BYTES};
pub use keys::{
    ApiKeyFile, ApiKeyFileCause, ApiKeyFileError, ApiKeyFileProblem, KeyGrant, MAX_NAMED_KEYS, NamedKeys,
    key_usage,
};
pub use metrics::HttpMetrics;
pub use model_names::ModelNames;
pub use nervure_api::ApiErrorCode;
pub use openai::{ReplyBody, ReplyKind, TextReply, unix_seconds};
pub use openapi::openapi_document;
pub use origin::{AllowedOrigin, AllowedOriginError};
pub use routes::{ROUTES, Route, RouteAccess, RouteGroup};
pub use serve::Gateway;
pub use service::{LedgerReader, LightCall, MeshService, SharedService};

use state::App;

#[cfg(test)]
mod tests;

/// The example of the README runs as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
