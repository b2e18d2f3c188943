//! The request of a response, and the chat that it stands for.

use nervure_api::QueryTerms;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::input;
use crate::{error::ApiError, openai::GenerateBody};

/// The body of `/v1/responses`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[schemars(rename = "ResponsesRequest")]
pub(crate) struct ResponsesBody {
    /// A model's name or a capability.
    model: String,
    /// A text, or items: messages, calls of functions and their results, reasoning.
    input: Value,
    /// A message of the system before the conversation; it is not kept with it.
    instructions: Option<String>,
    /// The response that this one continues.
    previous_response_id: Option<String>,
    /// Whether the conversation is kept, so that another response can continue it; `true` by default.
    store: Option<bool>,
    /// Whether the response is streamed.
    stream: Option<bool>,
    /// Maximum number of tokens to write.
    max_output_tokens: Option<u32>,
    /// As in a chat.
    temperature: Option<f64>,
    /// As in a chat.
    top_p: Option<f64>,
    /// Functions that the model may call.
    tools: Option<Vec<Value>>,
    /// `none`, `auto`, `required`, or a function.
    tool_choice: Option<Value>,
    /// Whether the model may call several functions at once.
    parallel_tool_calls: Option<bool>,
    /// The form of the text: `format` as `response_format` of a chat, and `verbosity`.
    text: Option<Value>,
    /// How much the model thinks: `effort`. What it thought is in the response, so that `summary` has no effect.
    reasoning: Option<Value>,
    /// `message.output_text.logprobs` for log probabilities; nothing else has an effect.
    include: Option<Vec<String>>,
    /// How many alternatives the log probabilities have.
    top_logprobs: Option<u32>,
    /// Only `disabled`.
    truncation: Option<String>,
    /// Texts of the client, which come back.
    metadata: Option<Map<String, Value>>,
    /// Terms of the mesh.
    nervure: Option<QueryTerms>,
    // Below: fields that are rejected unless they mean "off".
    #[schemars(skip)]
    background: Option<Value>,
    #[schemars(skip)]
    conversation: Option<Value>,
    #[schemars(skip)]
    prompt: Option<Value>,
    #[schemars(skip)]
    max_tool_calls: Option<Value>,
    /// Every other field: the expert's model server gets it as it is.
    #[serde(flatten)]
    #[schemars(skip)]
    others: Map<String, Value>,
}

/// What a response says of its request.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct ResponseSettings {
    /// As in the request.
    instructions: Option<String>,
    /// As in the request.
    max_output_tokens: Option<u32>,
    /// As in the request.
    metadata: Map<String, Value>,
    /// As in the request; `true` by default.
    parallel_tool_calls: bool,
    /// As in the request.
    previous_response_id: Option<String>,
    /// As in the request.
    reasoning: Option<Value>,
    /// Whether the conversation is kept.
    pub(super) store: bool,
    /// As in the request.
    temperature: Option<f64>,
    /// As in the request; plain text by default.
    text: Value,
    /// As in the request; `auto` by default.
    tool_choice: Value,
    /// As in the request.
    tools: Vec<Value>,
    /// As in the request.
    top_p: Option<f64>,
    /// Always `disabled`.
    truncation: &'static str,
}

/// The chat that a response stands for.
pub(super) struct ChatPlan {
    pub(super) chat: GenerateBody,
    /// Its messages without the instructions.
    pub(super) messages: Vec<Value>,
    pub(super) settings: ResponseSettings,
}

impl ResponsesBody {
    pub(super) fn stream(&self) -> bool {
        self.stream.unwrap_or(false)
    }

    /// The response that it continues.
    pub(super) fn previous(&self) -> Option<&str> {
        self.previous_response_id.as_deref()
    }

    /// The same as a chat, after the messages `before`.
    pub(super) fn into_chat(mut self, before: Vec<Value>) -> Result<ChatPlan, ApiError> {
        self.check_unsupported()?;
        let mut messages = before;
        input::add(&mut messages, std::mem::take(&mut self.input))?;
        let mut chat = std::mem::take(&mut self.others);
        let with_instructions = match &self.instructions {
            Some(instructions) => {
                let first = json!({ "role": "system", "content": instructions });
                [&[first], &messages[..]].concat()
            }
            None => messages.clone(),
        };
        let settings = self.settings();
        let logprobs = self.include.iter().flatten().any(|one| one == "message.output_text.logprobs");
        for (name, value) in [
            ("model", json!(self.model)),
            ("messages", with_instructions.into()),
            ("max_completion_tokens", json!(self.max_output_tokens)),
            ("temperature", json!(self.temperature)),
            ("top_p", json!(self.top_p)),
            ("tools", tools(self.tools)?),
            ("tool_choice", choice(self.tool_choice)?),
            ("parallel_tool_calls", json!(self.parallel_tool_calls)),
            ("response_format", response_format(self.text.as_mut())?),
            ("verbosity", self.text.as_mut().map(|text| text["verbosity"].take()).unwrap_or_default()),
            ("reasoning_effort", self.reasoning.as_mut().map(|one| one["effort"].take()).unwrap_or_default()),
            ("logprobs", if logprobs { Value::Bool(true) } else { Value::Null }),
            ("top_logprobs", json!(self.top_logprobs)),
        ] {
            if !value.is_null() {
                chat.insert(name.to_owned(), value);
            }
        }
        // Whole or as a stream, the answer is read here as its events.
        chat.remove("stream_options");
        let mut chat = GenerateBody::from_fields(chat)?;
        chat.nervure = self.nervure;
        Ok(ChatPlan { chat, messages, settings })
    }

    fn check_unsupported(&self) -> Result<(), ApiError> {
        let off =
            |value: &Option<Value>| value.as_ref().is_none_or(|value| value.is_null() || value == false);
        for (field, value, message) in [
            ("background", &self.background, "not supported; keep the connection, or stream"),
            ("conversation", &self.conversation, "not supported; use previous_response_id"),
            ("prompt", &self.prompt, "prompts are not kept here"),
            ("max_tool_calls", &self.max_tool_calls, "not supported: the client makes the calls"),
        ] {
            if !off(value) {
                return Err(ApiError::unsupported(field, message));
            }
        }
        match self.truncation.as_deref() {
            None | Some("disabled") => Ok(()),
            Some(_) => {
                Err(ApiError::unsupported("truncation", "only 'disabled'; shorten the input yourself"))
            }
        }
    }

    fn settings(&self) -> ResponseSettings {
        ResponseSettings {
            instructions: self.instructions.clone(),
            max_output_tokens: self.max_output_tokens,
            metadata: self.metadata.clone().unwrap_or_default(),
            parallel_tool_calls: self.parallel_tool_calls.unwrap_or(true),
            previous_response_id: self.previous_response_id.clone(),
            reasoning: self.reasoning.clone(),
            store: self.store.unwrap_or(true),
            temperature: self.temperature,
            text: self.text.clone().unwrap_or_else(|| json!({ "format": { "type": "text" } })),
            tool_choice: self.tool_choice.clone().unwrap_or_else(|| "auto".into()),
            tools: self.tools.clone().unwrap_or_default(),
            top_p: self.top_p,
            truncation: "disabled",
        }
    }
}

/// Functions as a chat has them; other kinds of tools run at OpenAI alone.
fn tools(tools: Option<Vec<Value>>) -> Result<Value, ApiError> {
    let refused =
        |at: usize| ApiError::unsupported(&format!("tools[{at}]"), "only tools of the type 'function'");
    let function = |(at, tool): (usize, Value)| {
        let Value::Object(mut function) = tool else { return Err(refused(at)) };
        if function.remove("type") != Some("function".into()) {
            return Err(refused(at));
        }
        function.retain(|_, value| !value.is_null());
        Ok(json!({ "type": "function", "function": function }))
    };
    let Some(tools) = tools else { return Ok(Value::Null) };
    tools.into_iter().enumerate().map(function).collect()
}

fn choice(choice: Option<Value>) -> Result<Value, ApiError> {
    match choice {
        None => Ok(Value::Null),
        Some(Value::String(text)) => Ok(text.into()),
        Some(mut one) if one["type"] == "function" => {
            Ok(json!({ "type": "function", "function": { "name": one["name"].take() } }))
        }
        Some(_) => Err(ApiError::unsupported("tool_choice", "none, auto, required, or a function")),
    }
}

/// The form of the text as a chat has it.
fn response_format(text: Option<&mut Value>) -> Result<Value, ApiError> {
    let Some(text) = text else { return Ok(Value::Null) };
    let mut format = text["format"].take();
    match format["type"].as_str() {
        None if format.is_null() => Ok(Value::Null),
        Some("json_schema") => {
            let mut schema = format.as_object_mut().map(std::mem::take).unwrap_or_default();
            schema.retain(|name, value| name != "type" && !value.is_null());
            Ok(json!({ "type": "json_schema", "json_schema": schema }))
        }
        Some(_) => Ok(format),
        None => Err(ApiError::bad("text.format", "an object with a type")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(body: Value) -> Result<ChatPlan, ApiError> {
        let mut whole = json!({ "model": "m", "input": "Hi" });
        whole.as_object_mut().unwrap().extend(body.as_object().unwrap().clone());
        serde_json::from_value::<ResponsesBody>(whole).unwrap().into_chat(Vec::new())
    }

    #[test]
    fn settings_have_the_names_of_a_chat() {
        let schema = json!({ "type": "object" });
        let chat = plan(json!({
            "tools": [{ "type": "function", "name": "f", "parameters": schema, "strict": true, "description": null }],
            "tool_choice": { "type": "function", "name": "f" },
            "text": { "format": { "type": "json_schema", "name": "s", "schema": schema, "strict": true }, "verbosity": "low" },
            "reasoning": { "effort": "high", "summary": "auto" },
            "include": ["message.output_text.logprobs", "reasoning.encrypted_content"],
            "max_output_tokens": 9, "top_k": 5, "metadata": { "a": "b" }, "user": "me",
        }));
        let sampling = chat.unwrap().chat.sampling().unwrap();
        let function = json!({ "name": "f", "parameters": schema, "strict": true });
        let expected = json!({
            "tools": [{ "type": "function", "function": function }],
            "tool_choice": { "type": "function", "function": { "name": "f" } },
            "response_format": { "type": "json_schema", "json_schema": { "name": "s", "schema": schema, "strict": true } },
            "verbosity": "low", "reasoning_effort": "high", "logprobs": true, "top_k": 5,
        });
        assert_eq!((Value::Object(sampling.extra.fields()), sampling.max_tokens), (expected, 9));
    }

    #[test]
    fn what_would_change_the_answer_is_refused_by_name() {
        for (body, param) in [
            (json!({ "tools": [{ "type": "web_search" }] }), "tools[0]"),
            (json!({ "tool_choice": { "type": "file_search" } }), "tool_choice"),
            (json!({ "background": true }), "background"),
            (json!({ "conversation": "c" }), "conversation"),
            (json!({ "prompt": { "id": "p" } }), "prompt"),
            (json!({ "truncation": "auto" }), "truncation"),
        ] {
            let error = plan(body.clone()).err().unwrap().into_body().error;
            assert_eq!(error.param.as_deref(), Some(param), "{body}");
        }
        let off = json!({ "background": false, "prompt": null, "truncation": "disabled", "tools": [] });
        assert!(plan(off).unwrap().chat.sampling().unwrap().extra.is_empty());
    }

    #[test]
    fn instructions_come_first_and_are_not_kept() {
        let plan = plan(json!({ "instructions": "Be brief." })).unwrap();
        assert_eq!(plan.messages, [json!({ "role": "user", "content": "Hi" })]);
        assert_eq!(plan.chat.messages.unwrap().len(), 2);
    }
}
