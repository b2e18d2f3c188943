//! What an expert can be asked, and what it streams back.

mod event;
mod request;

pub use event::{ExpertEvent, FinishReason, Usage};
pub use request::{ChatMessage, ExpertRequest, FieldError, Role, Sampling, text_tokens};
