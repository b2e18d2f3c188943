//! The requests of Ollama's API, and the chats that they stand for.

use nervure_api::QueryTerms;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::{error::ApiError, openai::GenerateBody};

/// Options about loading a model, which experts do themselves.
const OF_LOADING: [&str; 11] = [
    "num_ctx",
    "num_batch",
    "num_gpu",
    "main_gpu",
    "num_thread",
    "num_keep",
    "low_vram",
    "vocab_only",
    "use_mmap",
    "use_mlock",
    "numa",
];

/// What chats and texts have in common.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[schemars(rename = "OllamaSettings")]
struct Settings {
    /// A model's name or a capability.
    model: String,
    /// `json`, or a JSON schema of the answer.
    format: Option<Value>,
    /// `temperature`, `top_p`, `seed`, `stop`, `num_predict`, and every other option for the expert's model server. Those
    /// about loading a model have no effect.
    options: Option<Map<String, Value>>,
    /// Whether the answer is streamed; `true` by default.
    stream: Option<bool>,
    /// `false`, or how much the model thinks: `low`, `medium`, `high`.
    think: Option<Value>,
    /// Terms of the mesh.
    nervure: Option<QueryTerms>,
}

/// The body of `/api/chat`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[schemars(rename = "OllamaChatRequest")]
pub(crate) struct ChatBody {
    /// The conversation.
    messages: Vec<Message>,
    /// Tools that the client runs.
    tools: Option<Vec<Value>>,
    /// The model and how it answers.
    #[serde(flatten)]
    settings: Settings,
}

/// The body of `/api/generate`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[schemars(rename = "OllamaGenerateRequest")]
pub(crate) struct GenerateRequest {
    /// The question; with `raw` or `suffix`, the text to continue.
    prompt: Option<String>,
    /// The text after the one to write.
    suffix: Option<String>,
    /// A message of the system.
    system: Option<String>,
    /// Images in base64.
    images: Option<Vec<String>>,
    /// Whether the prompt is a text to continue.
    raw: Option<bool>,
    /// Not supported.
    #[schemars(skip)]
    template: Option<Value>,
    /// Not supported.
    #[schemars(skip)]
    context: Option<Value>,
    /// The model and how it answers.
    #[serde(flatten)]
    settings: Settings,
}

/// The body of `/api/embed`.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(rename = "OllamaEmbedRequest")]
pub(crate) struct EmbedBody {
    /// A model's name or a capability.
    model: String,
    /// A text or several.
    input: Value,
    /// Terms of the mesh.
    nervure: Option<QueryTerms>,
}

impl EmbedBody {
    /// The model, the texts, and the terms.
    pub(super) fn into_parts(self) -> (String, Value, Option<QueryTerms>) {
        (self.model, self.input, self.nervure)
    }
}

/// One message.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[schemars(rename = "OllamaMessage")]
struct Message {
    /// `system`, `user`, `assistant` or `tool`.
    role: String,
    /// Its text.
    content: Option<String>,
    /// What the model thought.
    thinking: Option<String>,
    /// Images in base64.
    images: Option<Vec<String>>,
    /// The calls of tools that the model made.
    tool_calls: Option<Vec<Value>>,
    /// The tool whose result this is.
    tool_name: Option<String>,
}

impl ChatBody {
    pub(super) fn stream(&self) -> bool {
        self.settings.stream.unwrap_or(true)
    }

    /// The same as a chat.
    pub(super) fn into_chat(self) -> Result<GenerateBody, ApiError> {
        let (messages, mut calls) = (self.messages.into_iter().enumerate(), Calls::default());
        let messages = messages.map(|(at, message)| {
            message.into_chat(&mut calls).map_err(|why| ApiError::bad(format!("messages[{at}]"), why))
        });
        let messages = messages.collect::<Result<Value, _>>()?;
        let mut more = Map::from_iter([("messages".to_owned(), messages)]);
        more.extend(self.tools.map(|tools| ("tools".to_owned(), tools.into())));
        self.settings.into_chat(more)
    }
}

impl GenerateRequest {
    pub(super) fn stream(&self) -> bool {
        self.settings.stream.unwrap_or(true)
    }

    /// The same as a chat; with the prompt beside it, if that is a text to continue.
    pub(super) fn into_chat(self) -> Result<(GenerateBody, Option<String>), ApiError> {
        for (field, value) in [("template", &self.template), ("context", &self.context)] {
            let is_off = |value: &Value| value.is_null() || value == "" || value == &json!([]);
            if value.as_ref().is_some_and(|value| !is_off(value)) {
                return Err(ApiError::unsupported(field, "not supported; use /api/chat"));
            }
        }
        let prompt = self.prompt.unwrap_or_default();
        let mut more = Map::new();
        if self.raw == Some(true) || self.suffix.is_some() {
            more.extend(self.suffix.map(|suffix| ("suffix".to_owned(), suffix.into())));
            return Ok((self.settings.into_chat(more)?, Some(prompt)));
        }
        let system = self.system.map(|text| json!({ "role": "system", "content": text }));
        let question = Message {
            role: "user".to_owned(),
            content: Some(prompt),
            images: self.images,
            ..Message::default()
        };
        let question =
            question.into_chat(&mut Calls::default()).map_err(|why| ApiError::bad("images", why))?;
        let messages: Value = system.into_iter().chain([question]).collect();
        more.insert("messages".to_owned(), messages);
        Ok((self.settings.into_chat(more)?, None))
    }
}

impl Settings {
    fn into_chat(mut self, more: Map<String, Value>) -> Result<GenerateBody, ApiError> {
        let mut chat = Map::new();
        for (name, value) in self.options.unwrap_or_default() {
            match name.as_str() {
                // Less than one is without an end.
                "num_predict" if value.as_i64().is_some_and(|most| most < 1) => {}
                "num_predict" => _ = chat.insert("max_completion_tokens".to_owned(), value),
                name if OF_LOADING.contains(&name) || value.is_null() => {}
                _ => _ = chat.insert(name, value),
            }
        }
        match self.format.take() {
            None | Some(Value::Null) => {}
            Some(Value::String(name)) if name.is_empty() => {}
            Some(Value::String(name)) if name == "json" => {
                chat.insert("response_format".to_owned(), json!({ "type": "json_object" }));
            }
            Some(schema @ Value::Object(_)) => {
                let schema = json!({ "name": "answer", "schema": schema, "strict": true });
                chat.insert(
                    "response_format".to_owned(),
                    json!({ "type": "json_schema", "json_schema": schema }),
                );
            }
            Some(_) => return Err(ApiError::bad("format", "'json' or a JSON schema")),
        }
        match self.think.take() {
            // What a model thinks is in its answer in any case.
            None | Some(Value::Null | Value::Bool(true)) => {}
            Some(Value::Bool(false)) => _ = chat.insert("reasoning_effort".to_owned(), json!("none")),
            Some(effort) => _ = chat.insert("reasoning_effort".to_owned(), effort),
        }
        chat.extend(more);
        chat.insert("model".to_owned(), json!(self.model));
        let mut chat = GenerateBody::from_fields(chat)?;
        chat.nervure = self.nervure;
        Ok(chat)
    }
}

/// The calls of a conversation, which have no ids here: each gets one, and results take them in turn.
#[derive(Default)]
struct Calls {
    made: usize,
    /// The ids and names of those without a result.
    open: Vec<(String, String)>,
}

impl Calls {
    fn add(&mut self, call: &Value) -> Value {
        let id = format!("call_{}", self.made);
        self.made += 1;
        let function = &call["function"];
        self.open.push((id.clone(), function["name"].as_str().unwrap_or_default().to_owned()));
        let arguments = function["arguments"].to_string();
        json!({ "id": id, "type": "function", "function": { "name": function["name"], "arguments": arguments } })
    }

    /// The id of the call that a result is of.
    fn answered(&mut self, tool: Option<&str>) -> Result<String, String> {
        let is_it = |(_, name): &(String, String)| tool.is_none_or(|tool| tool == name);
        match self.open.iter().position(is_it) {
            Some(at) => Ok(self.open.remove(at).0),
            None => Err("the result of a tool that was not called".to_owned()),
        }
    }
}

impl Message {
    fn into_chat(self, calls: &mut Calls) -> Result<Value, String> {
        let text = self.content.unwrap_or_default();
        let made: Vec<Value> = self.tool_calls.iter().flatten().map(|call| calls.add(call)).collect();
        let mut message = json!({ "role": self.role, "content": text });
        let images = self.images.unwrap_or_default();
        if !images.is_empty() {
            let mut parts = vec![json!({ "type": "text", "text": text })];
            for image in images {
                let url = format!("data:{};base64,{image}", media_type(&image)?);
                parts.push(json!({ "type": "image_url", "image_url": { "url": url } }));
            }
            message["content"] = parts.into();
        }
        if !made.is_empty() {
            if text.is_empty() {
                message["content"] = Value::Null;
            }
            message["tool_calls"] = made.into();
        }
        if let Some(thinking) = self.thinking.filter(|thinking| !thinking.is_empty()) {
            message["reasoning_content"] = json!(thinking);
        }
        if message["role"] == "tool" {
            message["tool_call_id"] = json!(calls.answered(self.tool_name.as_deref())?);
        }
        Ok(message)
    }
}

/// The media type of an image in base64, by its first bytes.
fn media_type(image: &str) -> Result<&'static str, String> {
    let known =
        [("iVBOR", "image/png"), ("/9j/", "image/jpeg"), ("R0lGOD", "image/gif"), ("UklGR", "image/webp")];
    let found = known.into_iter().find(|(first, _)| image.starts_with(first));
    found.map(|(_, kind)| kind).ok_or_else(|| "an image is a PNG, JPEG, GIF or WebP in base64".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chat(body: Value) -> Result<GenerateBody, ApiError> {
        let mut whole = json!({ "model": "m", "messages": [{ "role": "user", "content": "Hi" }] });
        whole.as_object_mut().unwrap().extend(body.as_object().unwrap().clone());
        serde_json::from_value::<ChatBody>(whole).unwrap().into_chat()
    }

    #[test]
    fn options_have_the_names_of_a_chat() {
        let chat = chat(json!({
            "format": { "type": "object" }, "think": false, "keep_alive": "5m",
            "options": {
                "num_predict": 9, "temperature": 0.5, "stop": ["\n"], "seed": 7, "top_k": 5, "num_ctx": 4096, "num_gpu": 1,
            },
        }));
        let sampling = chat.unwrap().sampling().unwrap();
        let schema = json!({ "name": "answer", "schema": { "type": "object" }, "strict": true });
        let expected = json!({
            "response_format": { "type": "json_schema", "json_schema": schema }, "reasoning_effort": "none", "top_k": 5,
        });
        assert_eq!(Value::Object(sampling.extra.fields()), expected);
        assert_eq!((sampling.max_tokens, sampling.temperature_milli, sampling.seed), (9, 500, Some(7)));
        let endless = self::chat(json!({ "options": { "num_predict": -1 } })).unwrap().sampling().unwrap();
        assert!(endless.unset.max_tokens);
    }

    #[test]
    fn calls_and_their_results_get_ids() {
        let call = |name: &str| json!({ "function": { "name": name, "arguments": { "x": 1 } } });
        let chat = chat(json!({ "messages": [
            { "role": "user", "content": "Hi", "images": ["iVBORw0KGgo="] },
            { "role": "assistant", "content": "", "thinking": "Hm.", "tool_calls": [call("f"), call("g")] },
            { "role": "tool", "content": "2", "tool_name": "g" },
            { "role": "tool", "content": "1" },
        ] }));
        let messages = chat.unwrap().messages.unwrap();
        let made = &messages[1].others["tool_calls"];
        assert_eq!((&made[0]["id"], &made[1]["id"]), (&json!("call_0"), &json!("call_1")));
        assert_eq!(made[0]["function"]["arguments"], json!("{\"x\":1}"));
        assert_eq!(messages[2].others["tool_call_id"], "call_1");
        assert_eq!(messages[3].others["tool_call_id"], "call_0");
        let parts = messages[0].content.as_ref().unwrap();
        assert_eq!(parts[1]["image_url"]["url"], "data:image/png;base64,iVBORw0KGgo=");
    }

    #[test]
    fn what_cannot_be_meant_is_refused_by_its_place() {
        let message = |message: Value| json!({ "messages": [message] });
        for (body, param) in [
            (message(json!({ "role": "tool", "content": "5" })), "messages[0]"),
            (message(json!({ "role": "user", "content": "", "images": ["AAAA"] })), "messages[0]"),
            (json!({ "format": "xml" }), "format"),
        ] {
            let error = chat(body.clone()).unwrap_err().into_body().error;
            assert_eq!(error.param.as_deref(), Some(param), "{body}");
        }
    }

    #[test]
    fn a_prompt_is_a_question_or_a_text_to_continue() {
        let read = |body: Value| serde_json::from_value::<GenerateRequest>(body).unwrap().into_chat();
        let (chat, prompt) = read(json!({ "model": "m", "prompt": "Hi", "system": "Be brief." })).unwrap();
        assert_eq!((chat.messages.unwrap().len(), prompt), (2, None));
        let (chat, prompt) = read(json!({ "model": "m", "prompt": "fn ", "suffix": "}" })).unwrap();
        assert_eq!(
            (prompt.as_deref(), chat.sampling().unwrap().extra.as_str()),
            (Some("fn "), "{\"suffix\":\"}\"}")
        );
        let (_, prompt) = read(json!({ "model": "m", "prompt": "x", "raw": true })).unwrap();
        assert_eq!(prompt.as_deref(), Some("x"));
        assert!(read(json!({ "model": "m", "prompt": "x", "template": "{{ .Prompt }}" })).is_err());
    }
}
