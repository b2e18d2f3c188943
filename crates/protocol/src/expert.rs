//! What an expert can be asked, and what it streams back.

mod event;
mod json_fields;
mod request;

pub use event::{ExpertEvent, FinishReason, Usage};
pub use json_fields::{
    AnswerFields, AnswerRules, ExtraFields, FieldRules, JsonFields, MessageFields, MessageRules, RequestRules,
};
pub use request::{
    ChatMessage, ExpertRequest, FieldError, Role, Sampling, Unset, text_of_parts, text_tokens,
};
