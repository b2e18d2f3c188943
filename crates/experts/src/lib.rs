//! What a miner serves: the expert trait and OpenAI-compatible upstreams.
//!
//! An [`Expert`] takes an [`ExpertRequest`] and answers with an [`ExpertStream`]. [`OpenAiExpert`] serves a model of any
//! OpenAI-compatible server. [`byte_text`] is what byte-level experts and mixtures of them share.
//!
//! Every expert guarantees: a stream ends with [`ExpertEvent::Done`] or with an error; dropping the stream frees the
//! expert at once; every field of a request is bounded.
//!
//! Capabilities are strings in this crate; the node parses them.
//!
//! [`ExpertRequest`]: nervure_protocol::ExpertRequest
//! [`ExpertEvent::Done`]: nervure_protocol::ExpertEvent::Done

pub mod byte_text;
mod card;
mod error;
mod expert;
#[doc(hidden)]
pub mod fuzzing;
mod openai;
mod stop;
mod stream;

pub use card::ModelCard;
pub use error::ExpertError;
pub use expert::{Expert, Health};
pub use openai::{ApiSecret, OpenAiConfig, OpenAiExpert, UpstreamLimits};
pub use stream::{ExpertItem, ExpertStream};

/// The example of the README runs as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
