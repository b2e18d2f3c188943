//! What an expert can be asked, and what it streams back.

mod event;
mod extra_fields;
mod request;

pub use event::{ExpertEvent, FinishReason, Usage};
pub use extra_fields::ExtraFields;
pub use request::{ChatMessage, ExpertRequest, FieldError, Role, Sampling, Unset, text_tokens};
