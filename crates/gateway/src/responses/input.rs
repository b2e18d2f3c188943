//! The items of a response's input as messages of a chat.

use nervure_primitives::Excerpt;
use serde_json::{Map, Value, json};

use crate::error::ApiError;

/// Adds the messages of `input`: a text, or items.
pub(super) fn add(messages: &mut Vec<Value>, input: Value) -> Result<(), ApiError> {
    match input {
        Value::String(text) => messages.push(json!({ "role": "user", "content": text })),
        Value::Array(items) => {
            let mut reasoning = None;
            for (at, item) in items.into_iter().enumerate() {
                let Value::Object(item) = item else {
                    return Err(ApiError::bad(format!("input[{at}]"), "an object"));
                };
                add_item(messages, item, &mut reasoning)
                    .map_err(|message| ApiError::bad(format!("input[{at}]"), message))?;
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => {
            return Err(ApiError::bad("input", "a text or an array of items"));
        }
    }
    Ok(())
}

/// Adds an item. What a model thought belongs to the message or the call after it.
fn add_item(
    messages: &mut Vec<Value>,
    mut item: Map<String, Value>,
    reasoning: &mut Option<String>,
) -> Result<(), String> {
    let kind = item.get("type").and_then(Value::as_str).unwrap_or("message").to_owned();
    match kind.as_str() {
        "message" => {
            let role = item.get("role").and_then(Value::as_str).unwrap_or_default().to_owned();
            let content = content(item.remove("content").unwrap_or_default())?;
            let mut message = json!({ "role": role, "content": content });
            if role == "assistant" {
                set_reasoning(&mut message, reasoning);
            }
            messages.push(message);
        }
        "function_call" => {
            let call = json!({
                "id": item.remove("call_id"),
                "type": "function",
                "function": { "name": item.remove("name"), "arguments": item.remove("arguments") },
            });
            add_call(messages, call, reasoning);
        }
        "function_call_output" => {
            let output = content(item.remove("output").unwrap_or_default())?;
            messages
                .push(json!({ "role": "tool", "tool_call_id": item.remove("call_id"), "content": output }));
        }
        "reasoning" => *reasoning = reasoning_text(&item),
        other => return Err(format!("items of the type '{}' are not supported", Excerpt::new(other))),
    }
    Ok(())
}

/// Adds a call to the message that the model has written last: a chat has all calls of one turn in one message.
fn add_call(messages: &mut Vec<Value>, call: Value, reasoning: &mut Option<String>) {
    let last = messages.last_mut().filter(|last| last["role"] == "assistant");
    match last.map(|last| &mut last["tool_calls"]) {
        Some(Value::Array(calls)) => calls.push(call),
        Some(none) => *none = json!([call]),
        None => {
            let mut message = json!({ "role": "assistant", "content": null, "tool_calls": [call] });
            set_reasoning(&mut message, reasoning);
            messages.push(message);
        }
    }
}

fn set_reasoning(message: &mut Value, reasoning: &mut Option<String>) {
    if let Some(reasoning) = reasoning.take() {
        message["reasoning_content"] = json!(reasoning);
    }
}

/// The text of what a model thought, if the client has it.
fn reasoning_text(item: &Map<String, Value>) -> Option<String> {
    let parts = item.get("content")?.as_array()?;
    let text: String = parts.iter().filter_map(|part| part["text"].as_str()).collect();
    (!text.is_empty()).then_some(text)
}

/// The content of a message: a text, or parts in the form of a chat.
fn content(content: Value) -> Result<Value, String> {
    let Value::Array(parts) = content else { return Ok(content) };
    let parts = parts.into_iter().map(part).collect::<Result<Vec<_>, _>>()?;
    Ok(parts.into())
}

fn part(mut part: Value) -> Result<Value, String> {
    let kind = part["type"].as_str().unwrap_or_default().to_owned();
    Ok(match kind.as_str() {
        "input_text" | "output_text" | "text" => json!({ "type": "text", "text": part["text"].take() }),
        "refusal" => json!({ "type": "text", "text": part["refusal"].take() }),
        "input_image" if part["image_url"].is_string() => {
            let mut image = json!({ "url": part["image_url"].take() });
            if part["detail"].is_string() {
                image["detail"] = part["detail"].take();
            }
            json!({ "type": "image_url", "image_url": image })
        }
        "input_audio" => json!({ "type": "input_audio", "input_audio": part["input_audio"].take() }),
        other => return Err(format!("parts of the type '{}' are not supported here", Excerpt::new(other))),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(input: Value) -> Result<Vec<Value>, ApiError> {
        let mut messages = Vec::new();
        add(&mut messages, input).map(|()| messages)
    }

    #[test]
    fn items_become_messages_of_a_chat() {
        assert_eq!(messages(json!("Hi")).unwrap(), [json!({ "role": "user", "content": "Hi" })]);
        let call = |id: &str| json!({ "type": "function_call", "call_id": id, "name": "f", "arguments": "{}", "id": "fc" });
        let read = messages(json!([
            { "role": "user", "content": [
                { "type": "input_text", "text": "What is this?" },
                { "type": "input_image", "image_url": "data:x", "detail": "low" },
            ] },
            { "type": "reasoning", "id": "rs", "summary": [], "content": [{ "type": "reasoning_text", "text": "Hm." }] },
            call("a"),
            call("b"),
            { "type": "function_call_output", "call_id": "a", "output": "5" },
            { "type": "function_call_output", "call_id": "b", "output": [{ "type": "input_text", "text": "6" }] },
            { "type": "message", "role": "assistant", "content": [{ "type": "output_text", "text": "Eleven." }] },
        ]));
        let function = json!({ "name": "f", "arguments": "{}" });
        let call = |id: &str| json!({ "id": id, "type": "function", "function": function });
        let text = |text: &str| json!([{ "type": "text", "text": text }]);
        let image = json!({ "type": "image_url", "image_url": { "url": "data:x", "detail": "low" } });
        assert_eq!(
            read.unwrap(),
            [
                json!({ "role": "user", "content": [text("What is this?")[0], image] }),
                json!({
                    "role": "assistant", "content": null, "tool_calls": [call("a"), call("b")], "reasoning_content": "Hm.",
                }),
                json!({ "role": "tool", "tool_call_id": "a", "content": "5" }),
                json!({ "role": "tool", "tool_call_id": "b", "content": text("6") }),
                json!({ "role": "assistant", "content": text("Eleven.") }),
            ]
        );
    }

    #[test]
    fn what_a_chat_does_not_have_is_refused_by_its_place() {
        for (input, place) in [
            (json!(5), "input"),
            (json!(["x"]), "input[0]"),
            (json!([{ "type": "item_reference", "id": "x" }]), "input[0]"),
            (json!([{ "role": "user", "content": "x" }, { "type": "computer_call" }]), "input[1]"),
            (json!([{ "role": "user", "content": [{ "type": "input_file", "file_id": "x" }] }]), "input[0]"),
            (json!([{ "role": "user", "content": [{ "type": "input_image", "file_id": "x" }] }]), "input[0]"),
        ] {
            let error = messages(input.clone()).unwrap_err().into_body().error;
            assert_eq!(error.param.as_deref(), Some(place), "{input}");
        }
    }
}
