//! The request of `/v1/messages`, and the chat that it stands for.

use nervure_api::QueryTerms;
use nervure_primitives::Excerpt;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::{error::ApiError, openai::GenerateBody};

/// What the two endpoints have in common.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[schemars(rename = "AnthropicRequest")]
pub(crate) struct CountBody {
    /// A model's name or a capability.
    model: String,
    /// The conversation: roles `user` and `assistant`; content as a text or as blocks.
    messages: Vec<Turn>,
    /// A message of the system before it: a text, or blocks of text.
    system: Option<Value>,
    /// Tools that the client runs.
    tools: Option<Vec<Value>>,
    /// `auto`, `any`, `none`, or a tool.
    tool_choice: Option<Value>,
    /// Every other field: the expert's model server gets it as it is.
    #[serde(flatten)]
    #[schemars(skip)]
    others: Map<String, Value>,
}

/// The body of `/v1/messages`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[schemars(rename = "AnthropicMessagesRequest")]
pub(crate) struct MessagesBody {
    /// Maximum number of tokens to write.
    max_tokens: u32,
    /// Up to 4 strings that end the answer.
    stop_sequences: Option<Vec<String>>,
    /// Whether the answer is streamed.
    stream: Option<bool>,
    /// As in a chat.
    temperature: Option<f64>,
    /// As in a chat.
    top_p: Option<f64>,
    /// Terms of the mesh.
    nervure: Option<QueryTerms>,
    /// The conversation and its tools.
    #[serde(flatten)]
    common: CountBody,
}

/// One message.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(rename = "AnthropicMessage")]
struct Turn {
    /// `user` or `assistant`.
    role: String,
    /// A text, or blocks: `text`, `image`, `tool_use`, `tool_result`, `thinking`.
    content: Value,
}

impl MessagesBody {
    pub(super) fn stream(&self) -> bool {
        self.stream.unwrap_or(false)
    }

    /// The same as a chat.
    pub(super) fn into_chat(mut self) -> Result<GenerateBody, ApiError> {
        let others = &mut self.common.others;
        for (name, value) in [
            ("max_completion_tokens", json!(self.max_tokens)),
            ("stop", json!(self.stop_sequences)),
            ("temperature", json!(self.temperature)),
            ("top_p", json!(self.top_p)),
        ] {
            if !value.is_null() {
                others.insert(name.to_owned(), value);
            }
        }
        let mut chat = self.common.into_chat()?;
        chat.nervure = self.nervure;
        Ok(chat)
    }
}

impl CountBody {
    /// The same as a chat.
    pub(super) fn into_chat(self) -> Result<GenerateBody, ApiError> {
        let mut messages = Vec::new();
        if let Some(system) = self.system {
            let system = text(system).ok_or_else(|| ApiError::bad("system", "a text or blocks of text"))?;
            messages.push(json!({ "role": "system", "content": system }));
        }
        for (at, turn) in self.messages.into_iter().enumerate() {
            add(&mut messages, turn).map_err(|why| ApiError::bad(format!("messages[{at}].content"), why))?;
        }
        let mut chat = self.others;
        // For Anthropic's caches alone.
        chat.remove("cache_control");
        chat.insert("model".to_owned(), json!(self.model));
        chat.insert("messages".to_owned(), messages.into());
        if let Some(tools) = self.tools.filter(|tools| !tools.is_empty()) {
            chat.insert("tools".to_owned(), functions(tools)?);
        }
        if let Some(choice) = self.tool_choice {
            choose(&mut chat, &choice)?;
        }
        GenerateBody::from_fields(chat)
    }
}

/// The text of a content that is text alone.
fn text(content: Value) -> Option<String> {
    match content {
        Value::String(text) => Some(text),
        Value::Array(blocks) => {
            let text = |block: &Value| {
                (block["type"] == "text").then(|| block["text"].as_str().map(str::to_owned))?
            };
            blocks.iter().map(text).collect()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => None,
    }
}

/// Adds the messages of a turn: results of tools are messages of their own, and come first.
fn add(messages: &mut Vec<Value>, turn: Turn) -> Result<(), String> {
    let Value::Array(blocks) = turn.content else {
        messages.push(json!({ "role": turn.role, "content": turn.content }));
        return Ok(());
    };
    let (mut parts, mut calls, mut thinking) = (Vec::new(), Vec::new(), String::new());
    for mut block in blocks {
        let kind = block["type"].as_str().unwrap_or_default().to_owned();
        match kind.as_str() {
            "text" | "image" => parts.push(part(&mut block)?),
            "tool_use" => calls.push(json!({
                "id": block["id"].take(), "type": "function",
                "function": { "name": block["name"].take(), "arguments": block["input"].to_string() },
            })),
            "tool_result" => messages.push(result(&mut block)?),
            "thinking" => thinking.push_str(block["thinking"].as_str().unwrap_or_default()),
            other => return Err(format!("blocks of the type '{}' are not supported", Excerpt::new(other))),
        }
    }
    if parts.is_empty() && calls.is_empty() && thinking.is_empty() {
        return Ok(());
    }
    let mut message = json!({ "role": turn.role });
    match parts.is_empty() {
        // No content beside the calls, and an empty one where there was thought alone.
        true if !calls.is_empty() => message["content"] = Value::Null,
        true => message["content"] = json!(""),
        false => message["content"] = parts.into(),
    }
    if !calls.is_empty() {
        message["tool_calls"] = calls.into();
    }
    if !thinking.is_empty() {
        message["reasoning_content"] = json!(thinking);
    }
    messages.push(message);
    Ok(())
}

/// A block of a message as a part of a chat's.
fn part(block: &mut Value) -> Result<Value, String> {
    if block["type"] == "text" {
        return Ok(json!({ "type": "text", "text": block["text"].take() }));
    }
    let source = &block["source"];
    let url = match (source["type"].as_str(), &source["url"], &source["media_type"], &source["data"]) {
        (Some("url"), Value::String(url), ..) => url.clone(),
        (Some("base64"), _, Value::String(kind), Value::String(data)) => format!("data:{kind};base64,{data}"),
        _ => return Err("the source of an image is a 'url' or 'base64' with its media type".to_owned()),
    };
    Ok(json!({ "type": "image_url", "image_url": { "url": url } }))
}

/// The result of a tool as a message. A chat has no mark for one that failed, so its text says it.
fn result(block: &mut Value) -> Result<Value, String> {
    let mut content = block["content"].take();
    if let Value::Array(blocks) = &mut content {
        content = blocks.iter_mut().map(part).collect::<Result<Vec<_>, _>>()?.into();
    } else if content.is_null() {
        content = json!("");
    }
    if block["is_error"] == true {
        if let Value::Array(parts) = &mut content {
            parts.insert(0, json!({ "type": "text", "text": "Error: " }));
        } else if let Value::String(text) = &mut content {
            text.insert_str(0, "Error: ");
        }
    }
    Ok(json!({ "role": "tool", "tool_call_id": block["tool_use_id"].take(), "content": content }))
}

/// Tools as a chat has them; those that run at Anthropic are refused.
fn functions(tools: Vec<Value>) -> Result<Value, ApiError> {
    let function = |(at, mut tool): (usize, Value)| match tool["type"].as_str() {
        None | Some("custom") => {
            let mut function =
                json!({ "name": tool["name"].take(), "parameters": tool["input_schema"].take() });
            for name in ["description", "strict"] {
                if !tool[name].is_null() {
                    function[name] = tool[name].take();
                }
            }
            Ok(json!({ "type": "function", "function": function }))
        }
        Some(_) => Err(ApiError::unsupported(&format!("tools[{at}]"), "only tools that the client runs")),
    };
    tools.into_iter().enumerate().map(function).collect()
}

fn choose(chat: &mut Map<String, Value>, choice: &Value) -> Result<(), ApiError> {
    let chosen = match choice["type"].as_str() {
        Some("auto") => json!("auto"),
        Some("any") => json!("required"),
        Some("none") => json!("none"),
        Some("tool") => json!({ "type": "function", "function": { "name": choice["name"] } }),
        _ => return Err(ApiError::bad("tool_choice", "an object of the type auto, any, none or tool")),
    };
    chat.insert("tool_choice".to_owned(), chosen);
    if choice["disable_parallel_tool_use"] == true {
        chat.insert("parallel_tool_calls".to_owned(), json!(false));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chat(body: Value) -> Result<GenerateBody, ApiError> {
        let mut whole =
            json!({ "model": "m", "max_tokens": 9, "messages": [{ "role": "user", "content": "Hi" }] });
        whole.as_object_mut().unwrap().extend(body.as_object().unwrap().clone());
        serde_json::from_value::<MessagesBody>(whole).unwrap().into_chat()
    }

    fn messages(turns: Value) -> Vec<Value> {
        let mut messages = Vec::new();
        for turn in turns.as_array().unwrap() {
            add(&mut messages, serde_json::from_value(turn.clone()).unwrap()).unwrap();
        }
        messages
    }

    #[test]
    fn blocks_become_messages_of_a_chat() {
        let read = messages(json!([
            { "role": "user", "content": [
                { "type": "text", "text": "What is this?", "cache_control": { "type": "ephemeral" } },
                { "type": "image", "source": { "type": "base64", "media_type": "image/png", "data": "AAAA" } },
            ] },
            { "role": "assistant", "content": [
                { "type": "thinking", "thinking": "Hm.", "signature": "" },
                { "type": "text", "text": "I look." },
                { "type": "tool_use", "id": "a", "name": "f", "input": { "x": 1 } },
            ] },
            { "role": "user", "content": [
                { "type": "tool_result", "tool_use_id": "a", "content": "5" },
                { "type": "tool_result", "tool_use_id": "b", "content": [{ "type": "text", "text": "no" }], "is_error": true },
                { "type": "text", "text": "And?" },
            ] },
        ]));
        let text = |text: &str| json!({ "type": "text", "text": text });
        let image = json!({ "type": "image_url", "image_url": { "url": "data:image/png;base64,AAAA" } });
        let call =
            json!({ "id": "a", "type": "function", "function": { "name": "f", "arguments": "{\"x\":1}" } });
        assert_eq!(
            read,
            [
                json!({ "role": "user", "content": [text("What is this?"), image] }),
                json!({
                    "role": "assistant", "content": [text("I look.")], "tool_calls": [call], "reasoning_content": "Hm.",
                }),
                json!({ "role": "tool", "tool_call_id": "a", "content": "5" }),
                json!({ "role": "tool", "tool_call_id": "b", "content": [text("Error: "), text("no")] }),
                json!({ "role": "user", "content": [text("And?")] }),
            ]
        );
    }

    #[test]
    fn settings_have_the_names_of_a_chat() {
        let chat = chat(json!({
            "system": [{ "type": "text", "text": "Be brief." }], "stop_sequences": ["\n"], "top_k": 5, "temperature": 0.5,
            "tools": [{ "name": "f", "description": "d", "input_schema": { "type": "object" } }],
            "tool_choice": { "type": "any", "disable_parallel_tool_use": true }, "metadata": { "user_id": "me" },
        }));
        let chat = chat.unwrap();
        let sampling = chat.sampling().unwrap();
        let function = json!({ "name": "f", "description": "d", "parameters": { "type": "object" } });
        let expected = json!({
            "tools": [{ "type": "function", "function": function }], "tool_choice": "required",
            "parallel_tool_calls": false, "top_k": 5,
        });
        assert_eq!(Value::Object(sampling.extra.fields()), expected);
        assert_eq!(
            (sampling.max_tokens, sampling.temperature_milli, sampling.stop),
            (9, 500, vec!["\n".to_owned()])
        );
        assert_eq!(chat.messages.unwrap().len(), 2);
    }

    #[test]
    fn what_a_chat_does_not_have_is_refused_by_name() {
        let block = |block: Value| json!({ "messages": [{ "role": "user", "content": [block] }] });
        for (body, param) in [
            (json!({ "tools": [{ "type": "web_search_20250305", "name": "web_search" }] }), "tools[0]"),
            (json!({ "tool_choice": "auto" }), "tool_choice"),
            (json!({ "system": 5 }), "system"),
            (block(json!({ "type": "document" })), "messages[0].content"),
            (block(json!({ "type": "image", "source": { "type": "file" } })), "messages[0].content"),
        ] {
            let error = chat(body.clone()).unwrap_err().into_body().error;
            assert_eq!(error.param.as_deref(), Some(param), "{body}");
        }
    }
}
