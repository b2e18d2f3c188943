//! An OpenAI-compatible server that computes its answers by program, for tests and demos.
//!
//! A testnet without a model server uses it for chat and embedding requests. It is not a model: it says so in the names
//! and the owner of its models, in every answer and in every error. [`MockServer`] is the HTTP server, [`MockModel`]
//! computes the answers.

mod answers;
#[doc(hidden)]
pub mod fuzzing;
mod server;

pub use answers::{LISTED_MODELS, MAX_PROMPT_BYTES, MODEL_OWNER, MockModel, ModelKind};
pub use server::{MockServer, MockServerError};

/// The example of the README runs as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
