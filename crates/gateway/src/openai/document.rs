//! How the documentation describes the requests and replies of chats and completions.
//!
//! The two endpoints share the type of their request, and each takes a part of it. The types here are never made.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};

use super::{reply::ReplyBody, request::GenerateBody};

/// A complete reply, or a chunk of one.
pub(crate) type Reply = ReplyBody<'static>;

/// What a client reads from a stream.
pub(crate) const STREAM: &str = "The answer. With `stream`, an event per piece, as the schema says; the data of the \
     last event is `[DONE]`. An answer that breaks off has an error body as its last event, and no `[DONE]`.";

/// The request of `/v1/chat/completions`.
pub(crate) enum ChatRequest {}

/// The request of `/v1/completions`.
pub(crate) enum CompletionRequest {}

impl JsonSchema for ChatRequest {
    fn schema_name() -> Cow<'static, str> {
        "ChatRequest".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        part(generator, "messages", "prompt", "A conversation to answer.")
    }
}

impl JsonSchema for CompletionRequest {
    fn schema_name() -> Cow<'static, str> {
        "CompletionRequest".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        part(generator, "prompt", "messages", "A text to continue.")
    }
}

/// The schema of [`GenerateBody`] with the field `required` and without the field `other`.
fn part(generator: &mut SchemaGenerator, required: &str, other: &str, description: &str) -> Schema {
    let mut schema = GenerateBody::json_schema(generator);
    schema.insert("description".into(), description.into());
    if let Some(Value::Array(names)) = schema.get_mut("required") {
        names.push(required.into());
    }
    if let Some(Value::Object(properties)) = schema.get_mut("properties") {
        properties.remove(other);
        for (field, _, _, reason) in GenerateBody::default().unsupported() {
            let description = format!("Refused unless the value means \"off\": {reason}.");
            properties.insert(field.into(), json!({ "description": description }));
        }
    }
    schema
}

/// The content of a message: a text, or parts.
pub(super) fn message_content(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "anyOf": [
            { "type": "string" },
            {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": { "type": { "type": "string" }, "text": { "type": "string" } },
                    "required": ["type"],
                },
            },
            { "type": "null" },
        ],
    })
}
