//! The request of the chat and completion endpoints, and its unsupported fields.
//!
//! Both share one type; each handler reads its own part. Unsupported fields that would change the answer are decoded as
//! raw JSON and rejected unless their value means "off". All other fields are passed on to the expert, which refuses
//! those that it does not have; [`NO_EFFECT`] names those that do not change an answer.

use std::ops::RangeInclusive;

use nervure_api::QueryTerms;
use nervure_protocol::{
    ExtraFields, Sampling, Unset,
    bounds::{MAX_STOP_LEN, MAX_STOPS, MAX_TOKENS},
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::error::ApiError;

/// The body of `/v1/chat/completions` and `/v1/completions`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
pub(crate) struct GenerateBody {
    /// A model's name or a capability.
    pub(crate) model: String,
    /// The conversation, of a chat.
    pub(crate) messages: Option<Vec<Message>>,
    /// The text to continue, or an array of one text.
    #[schemars(with = "Option<OneOrMany>")]
    pub(crate) prompt: Option<Value>,
    /// Terms of the mesh.
    pub(crate) nervure: Option<QueryTerms>,
    /// Whether the answer is streamed.
    stream: Option<bool>,
    /// Options of a stream.
    stream_options: Option<StreamOptions>,
    /// Maximum number of tokens to write; 256 by default. A token of a byte-level expert is a byte.
    #[schemars(range(min = 1, max = MAX_TOKENS))]
    max_tokens: Option<u32>,
    /// The same, and wins over `max_tokens`.
    #[schemars(range(min = 1, max = MAX_TOKENS))]
    max_completion_tokens: Option<u32>,
    /// 0 always chooses the most likely token; 0.8 by default.
    #[schemars(range(min = 0.0, max = 2.0))]
    temperature: Option<f64>,
    /// The probability mass of the most likely tokens among which one is chosen; 0.95 by default.
    #[schemars(range(min = 0.001, max = 1.0))]
    top_p: Option<f64>,
    /// With the same seed, the same expert writes the same text.
    seed: Option<i64>,
    /// Up to 4 strings that end the answer, of at most 64 bytes each.
    stop: Option<OneOrMany>,
    // Below: fields that are rejected unless they mean "off". Each is listed, because with `flatten` errors lose their position.
    n: Option<Value>,
    best_of: Option<Value>,
    echo: Option<Value>,
    functions: Option<Value>,
    function_call: Option<Value>,
    audio: Option<Value>,
    modalities: Option<Value>,
    web_search_options: Option<Value>,
    /// `tools`, `logprobs`, `response_format`, `frequency_penalty`, `reasoning_effort`, `top_k`, and every other field: the expert's model
    /// server gets them as they are.
    #[serde(flatten)]
    #[schemars(skip)]
    others: Map<String, Value>,
}

/// Fields that do not change an answer.
const NO_EFFECT: [&str; 7] = [
    "user",
    "store",
    "metadata",
    "service_tier",
    "safety_identifier",
    "prompt_cache_key",
    "prompt_cache_retention",
];

/// Fields that change an answer only with tools.
const OF_TOOLS: [&str; 2] = ["tool_choice", "parallel_tool_calls"];

/// Whether a field that is passed on asks for nothing: a model that does not have it must not refuse it.
fn asks_for_nothing(name: &str, value: &Value) -> bool {
    value.is_null()
        || match name {
            "frequency_penalty" | "presence_penalty" | "logit_bias" | "tools" => is_off(value),
            // Of a completion, 0 asks for the chosen token's probability; of a chat, 0 others are none.
            "logprobs" => value == false,
            "top_logprobs" => value == 0,
            "suffix" => value == "",
            "response_format" => value["type"] == "text",
            name => NO_EFFECT.contains(&name),
        }
}

/// One message of a conversation.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(rename = "ChatRequestMessage")]
pub(crate) struct Message {
    /// Its role; `developer` is taken as `system`.
    #[schemars(extend("enum" = ["system", "developer", "user", "assistant", "tool"]))]
    pub(crate) role: String,
    /// A text, or parts. Parts that are no text reach the expert's model server as they are. May be absent where a tool was
    /// called.
    #[schemars(schema_with = "super::document::message_content")]
    pub(crate) content: Option<Value>,
    /// `tool_calls`, `tool_call_id`, `name`, and every other field: the expert's model server gets them as they are.
    #[serde(flatten)]
    #[schemars(skip)]
    pub(crate) others: Map<String, Value>,
}

/// Options of a stream.
#[derive(Debug, Deserialize, JsonSchema)]
struct StreamOptions {
    /// Whether the last event has the usage.
    include_usage: Option<bool>,
}

/// One text or several.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(inline)]
#[serde(untagged, expecting = "expected a string or an array of strings")]
pub(crate) enum OneOrMany {
    /// One.
    One(String),
    /// Several.
    Many(Vec<String>),
}

/// Whether the value means "off".
fn is_off(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        Value::Bool(true) | Value::String(_) => false,
    }
}

/// Whether the value is one or absent.
fn is_one(value: &Value) -> bool {
    value.is_null() || value.as_u64() == Some(1)
}

/// A field that would change the answer: its name, its value, whether that value means "off", and the error message.
type UnsupportedField<'b> = (&'static str, &'b Option<Value>, fn(&Value) -> bool, &'static str);

impl GenerateBody {
    /// Every unsupported field.
    pub(super) fn unsupported(&self) -> [UnsupportedField<'_>; 8] {
        const FUNCTIONS: &str = "not supported; use tools";
        const TEXT: &str = "only text is supported";
        let no_tool: fn(&Value) -> bool = |v| is_off(v) || v == "none" || v == "auto";
        [
            ("n", &self.n, is_one, "one choice per request is supported; send several requests for more"),
            (
                "best_of",
                &self.best_of,
                is_one,
                "not supported; set nervure.strategy to race for the first of several experts",
            ),
            ("echo", &self.echo, is_off, "not supported; prepend the prompt to the answer yourself"),
            ("functions", &self.functions, is_off, FUNCTIONS),
            ("function_call", &self.function_call, no_tool, FUNCTIONS),
            ("audio", &self.audio, is_off, TEXT),
            ("modalities", &self.modalities, |v| is_off(v) || *v == serde_json::json!(["text"]), TEXT),
            ("web_search_options", &self.web_search_options, is_off, "web search is not supported"),
        ]
    }
}

impl GenerateBody {
    /// The body with these fields: of another API, in the words of this one.
    pub(crate) fn from_fields(fields: Map<String, Value>) -> Result<Self, ApiError> {
        serde_json::from_value(fields.into()).map_err(|error| ApiError::bad("body", error.to_string()))
    }

    /// Whether the answer is streamed.
    pub(crate) fn stream(&self) -> bool {
        self.stream.unwrap_or(false)
    }

    /// Whether the stream ends with its usage.
    pub(crate) fn include_usage(&self) -> Result<bool, ApiError> {
        match &self.stream_options {
            Some(_) if !self.stream() => Err(ApiError::bad("stream_options", "only with \"stream\": true")),
            Some(options) => Ok(options.include_usage.unwrap_or(false)),
            None => Ok(false),
        }
    }

    /// How to sample; an error for an unsupported field. Absent fields get [`Sampling::default`], which suits small
    /// models, and are marked as absent for models with defaults of their own.
    pub(crate) fn sampling(&self) -> Result<Sampling, ApiError> {
        for (field, value, harmless, message) in self.unsupported() {
            if value.as_ref().is_some_and(|value| !harmless(value)) {
                return Err(ApiError::unsupported(field, message));
            }
        }
        let default = Sampling::default();
        let max_tokens = self.max_tokens()?;
        let temperature = milli("temperature", self.temperature, 0..=2000)?;
        let top_p = milli("top_p", self.top_p, 1..=1000)?;
        Ok(Sampling {
            max_tokens: max_tokens.unwrap_or(default.max_tokens),
            temperature_milli: temperature.unwrap_or(default.temperature_milli),
            top_p_milli: top_p.unwrap_or(default.top_p_milli),
            unset: Unset {
                max_tokens: max_tokens.is_none(),
                temperature: temperature.is_none(),
                top_p: top_p.is_none(),
            },
            extra: self.extra()?,
            // Bit by bit: the protocol has unsigned seeds, and a negative one must stay a seed of its own.
            seed: self.seed.map(i64::cast_unsigned),
            stop: self.stops()?,
            prefix: String::new(),
        })
    }

    /// The fields that are passed on.
    fn extra(&self) -> Result<ExtraFields, ApiError> {
        let others = self.others.iter().filter(|(name, value)| !asks_for_nothing(name, value));
        let mut fields: Map<String, Value> =
            others.map(|(name, value)| (name.clone(), value.clone())).collect();
        if !fields.contains_key("tools") {
            if fields.get("tool_choice").is_some_and(|choice| choice != "none" && choice != "auto") {
                return Err(ApiError::bad("tool_choice", "there are no tools to choose from"));
            }
            OF_TOOLS.iter().for_each(|name| _ = fields.remove(*name));
        }
        ExtraFields::new(&fields).map_err(|error| ApiError::bad("body", error.reason))
    }

    fn max_tokens(&self) -> Result<Option<u32>, ApiError> {
        let (field, most) = match (self.max_completion_tokens, self.max_tokens) {
            (Some(most), _) => ("max_completion_tokens", Some(most)),
            (None, most) => ("max_tokens", most),
        };
        if most == Some(0) { Err(ApiError::bad(field, "at least 1")) } else { Ok(most) }
    }

    fn stops(&self) -> Result<Vec<String>, ApiError> {
        let stops = match &self.stop {
            None => return Ok(Vec::new()),
            Some(OneOrMany::One(stop)) => vec![stop.clone()],
            Some(OneOrMany::Many(stops)) => stops.clone(),
        };
        if stops.len() > MAX_STOPS {
            return Err(ApiError::bad("stop", format!("at most {MAX_STOPS} strings")));
        }
        if stops.iter().any(|stop| stop.is_empty() || stop.len() > MAX_STOP_LEN) {
            return Err(ApiError::bad("stop", format!("a stop string has 1 to {MAX_STOP_LEN} bytes")));
        }
        Ok(stops)
    }
}

/// A rate in thousandths, within bounds.
fn milli(field: &str, rate: Option<f64>, bounds: RangeInclusive<u32>) -> Result<Option<u32>, ApiError> {
    let Some(rate) = rate else { return Ok(None) };
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the cast saturates, and bounds follow"
    )]
    let thousandths = if rate < 0.0 { u32::MAX } else { (rate * 1000.0).round() as u32 };
    if bounds.contains(&thousandths) {
        return Ok(Some(thousandths));
    }
    let [least, most] = [bounds.start(), bounds.end()].map(|bound| f64::from(*bound) / 1000.0);
    Err(ApiError::bad(field, format!("a number from {least} to {most}")))
}

#[cfg(test)]
mod tests {
    use nervure_protocol::bounds::MAX_EXTRA;
    use serde_json::json;

    use super::*;

    fn sampling(extra: Value) -> Result<Sampling, (u16, Option<String>)> {
        let mut body = json!({ "model": "m" });
        body.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        let body: GenerateBody = serde_json::from_value(body).unwrap();
        body.sampling().map_err(|error| (400, error.into_body().error.param))
    }

    #[test]
    fn rejects_unsupported_fields_by_name() {
        let asked = json!({
            "n": 2, "best_of": 3, "echo": true, "functions": [{}], "function_call": {"name": "f"},
            "audio": {"voice": "x"}, "modalities": ["audio"], "web_search_options": {"a": 1},
        });
        let asked = asked.as_object().unwrap();
        assert_eq!(asked.len(), 8, "every unsupported field is tested");
        for (field, value) in asked {
            assert_eq!(sampling(json!({ field: value })).unwrap_err().1.as_ref(), Some(field));
        }
    }

    #[test]
    fn tools_and_log_probabilities_are_passed_on() {
        let tools = json!({
            "tools": [{"type": "function", "function": {"name": "f"}}], "tool_choice": "auto", "parallel_tool_calls": false,
            "logprobs": true, "top_logprobs": 2,
        });
        assert_eq!(Value::Object(sampling(tools.clone()).unwrap().extra.fields()), tools);
        // Of a completion, 0 still asks for the chosen token's.
        let zero = json!({ "logprobs": 0 });
        assert_eq!(Value::Object(sampling(zero.clone()).unwrap().extra.fields()), zero);
        let forced = sampling(json!({ "tool_choice": "required" })).unwrap_err();
        assert_eq!(forced.1.as_deref(), Some("tool_choice"), "a call that is asked for, of nothing");
    }

    #[test]
    fn accepts_values_that_mean_off() {
        let harmless = json!({
            "n": 1, "best_of": 1, "logprobs": false, "top_logprobs": null, "echo": false, "suffix": null, "frequency_penalty": 0,
            "presence_penalty": 0.0, "logit_bias": {}, "tools": [], "response_format": {"type": "text"}, "tool_choice": "none", "parallel_tool_calls": true,
            "modalities": ["text"], "user": "me", "store": true, "metadata": {"a": "b"},
        });
        let sampling = sampling(harmless).unwrap();
        assert!(sampling.extra.is_empty(), "{:?}", sampling.extra);
    }

    #[test]
    fn passes_on_every_other_field() {
        let others = json!({
            "response_format": {"type": "json_object"}, "frequency_penalty": 0.5, "suffix": "x", "top_k": 5,
            "chat_template_kwargs": {"enable_thinking": false}, "whatever": [1, 2],
        });
        assert_eq!(Value::Object(sampling(others.clone()).unwrap().extra.fields()), others);
        assert!(sampling(json!({ "n_predict": 5 })).is_err(), "it would replace max_tokens");
        assert!(sampling(json!({ "x": "y".repeat(MAX_EXTRA) })).is_err());
    }

    #[test]
    fn says_which_settings_were_left_out() {
        let given = json!({ "temperature": 1, "top_p": 1, "max_tokens": 9 });
        assert_eq!(sampling(given).unwrap().unset, Unset::default());
        let unset = sampling(json!({})).unwrap().unset;
        assert_eq!(unset, Unset { max_tokens: true, temperature: true, top_p: true });
    }

    #[test]
    fn bounds_numbers() {
        for bad in [
            json!({ "temperature": 2.1 }),
            json!({ "temperature": -0.1 }),
            json!({ "top_p": 0 }),
            json!({ "top_p": 1.1 }),
            json!({ "max_tokens": 0 }),
            json!({ "stop": ["a", "b", "c", "d", "e"] }),
            json!({ "stop": "" }),
        ] {
            assert!(sampling(bad.clone()).is_err(), "{bad}");
        }
        let good = sampling(
            json!({ "temperature": 0, "top_p": 1, "max_tokens": 3, "max_completion_tokens": 7, "stop": "\n", "seed": -1 }),
        );
        let good = good.unwrap();
        assert_eq!(good.max_tokens, 7, "the newer name wins");
        assert_eq!((good.temperature_milli, good.top_p_milli), (0, 1000));
        assert_eq!((good.stop, good.seed), (vec!["\n".to_owned()], Some(u64::MAX)));
    }
}
