//! What a miner serves: a uniform, cancellable stream of answers, whatever model stands behind it.
//!
//! An [`Expert`] takes an [`ExpertRequest`] and answers with an [`ExpertStream`]. [`ByteExpert`] serves the
//! byte-level language models that ship with this crate ([`builtin`]), run by candle on threads of their own: no
//! download, no GPU. [`OpenAiExpert`] serves a model of any OpenAI-compatible server.
//!
//! Every expert promises the same: a stream ends with [`ExpertEvent::Done`] or with an error, never by merely stopping;
//! dropping it frees the expert at once; everything that a caller can send is bounded.
//!
//! Capabilities are plain dotted paths here; the node parses them.

pub mod byte_lm;
mod card;
mod error;
mod expert;
#[doc(hidden)]
pub mod fuzzing;
mod openai;
pub mod stand_in;
mod stop;
mod stream;
mod utf8;

pub use byte_lm::builtin;
pub use byte_lm::{ByteExpert, ServeOptions};
pub use card::ModelCard;
pub use error::{ExpertError, MAX_MESSAGE};
pub use expert::{Expert, Health};
pub use openai::{ApiSecret, OpenAiConfig, OpenAiExpert, UpstreamLimits};
// For the crates that do not name nervure_protocol yet.
pub use nervure_protocol::{
    ChatMessage, ExpertEvent, ExpertRequest, FinishReason, Role, Sampling, Usage,
    bounds::{MAX_INPUTS, MAX_MESSAGES, MAX_STOP_LEN, MAX_STOPS, MAX_TEXT},
};
pub use stream::ExpertStream;
