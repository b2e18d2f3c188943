//! What an upstream sends beside the text of an answer: calls of tools, reasoning, log probabilities.
//!
//! A stream has pieces, which clients add up; an answer as a whole is one piece. What no field of an answer is (a role, an
//! id of the message) is left out.

use std::collections::BTreeSet;

use nervure_protocol::{AnswerFields, AnswerRules, FieldRules};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::answer::pieces;
use crate::ExpertError;

/// Longest document of one event, in bytes; longer ones are cut where clients add them up.
const MAX_FIELDS_BYTES: usize = 48 << 10;

/// The message of a choice, or the next piece of it.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Delta {
    /// Its text.
    pub(super) content: Option<String>,
    /// Everything else.
    #[serde(flatten)]
    others: Map<String, Value>,
}

/// The calls of tools of one answer so far.
#[derive(Debug, Default)]
pub(super) struct ToolCalls {
    ids: BTreeSet<String>,
    /// The index of the next call that has none.
    next: u64,
}

impl ToolCalls {
    /// Whether there are any.
    pub(super) const fn any(&self) -> bool {
        self.next > 0
    }

    /// Gives each call its index. Servers leave it out of answers as a whole, and some out of streams, where a new call is
    /// known by its new id.
    fn number(&mut self, calls: &mut [Value]) {
        for call in calls {
            let Some(call) = call.as_object_mut() else { continue };
            let id = call.get("id").and_then(Value::as_str).filter(|id| !id.is_empty());
            let is_new = id.is_some_and(|id| self.ids.insert(id.to_owned()));
            let index = match call.get("index").and_then(Value::as_u64) {
                Some(index) => index,
                None if is_new || !self.any() => self.next,
                None => self.next - 1,
            };
            call.insert("index".to_owned(), json!(index));
            self.next = self.next.max(index.saturating_add(1));
        }
    }
}

/// Whether a field has anything in it.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Whether a field is what a model thinks before it answers.
fn is_reasoning(name: &str) -> bool {
    name.starts_with("reasoning")
}

/// The fields of the next piece. A `begun` answer has its reasoning already.
pub(super) fn fields(
    delta: Option<Delta>,
    logprobs: Option<Value>,
    begun: bool,
    calls: &mut ToolCalls,
) -> Result<Vec<AnswerFields>, ExpertError> {
    let mut others = delta.map(|delta| delta.others).unwrap_or_default();
    others.extend(logprobs.map(|logprobs| ("logprobs".to_owned(), logprobs)));
    if let Some(Value::Array(found)) = others.get_mut("tool_calls") {
        calls.number(found);
    }
    others.retain(|name, value| {
        let fits = name == "tool_calls" || AnswerRules::check(name, value).is_ok();
        fits && !is_empty(value) && !(begun && is_reasoning(name))
    });
    if others.is_empty() {
        return Ok(Vec::new());
    }
    if Value::from(others.clone()).to_string().len() <= MAX_FIELDS_BYTES {
        return Ok(vec![event(&others)?]);
    }
    let parts = others.into_iter().flat_map(|(name, value)| cut(&name, value));
    parts.map(|part| event(&part)).collect()
}

fn event(fields: &Map<String, Value>) -> Result<AnswerFields, ExpertError> {
    AnswerFields::new(fields)
        .map_err(|error| ExpertError::UpstreamInvalid { reason: error.to_string().into() })
}

/// A field in pieces that clients add up to it: a text in parts of a text, and each call with its arguments in parts.
fn cut(name: &str, value: Value) -> Vec<Map<String, Value>> {
    let part = |value: Value| Map::from_iter([(name.to_owned(), value)]);
    match value {
        Value::String(text) => pieces(&text).map(|piece| part(json!(piece))).collect(),
        Value::Array(calls) if name == "tool_calls" => calls
            .into_iter()
            .flat_map(|mut call| {
                let index = call["index"].clone();
                let arguments = match call.pointer_mut("/function/arguments") {
                    Some(Value::String(arguments)) => std::mem::take(arguments),
                    _ => String::new(),
                };
                let rest: Vec<Value> = pieces(&arguments)
                    .map(|piece| json!({ "index": index, "function": { "arguments": piece } }))
                    .collect();
                std::iter::once(call).chain(rest)
            })
            .map(|call| part(json!([call])))
            .collect(),
        other => vec![part(other)],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(delta: Value, begun: bool, calls: &mut ToolCalls) -> Result<Vec<Value>, ExpertError> {
        let delta: Delta = serde_json::from_value(delta).unwrap();
        let fields = fields(Some(delta), None, begun, calls)?;
        Ok(fields.iter().map(|fields| Value::Object(fields.fields())).collect())
    }

    #[test]
    fn only_what_an_answer_may_have_goes_on() {
        let calls = &mut ToolCalls::default();
        let delta = json!({
            "role": "assistant", "content": "x", "refusal": null, "tool_calls": [], "reasoning_content": "Hm.",
            "audio": {"id": "a"}, "provider_specific": 5,
        });
        assert_eq!(read(delta.clone(), false, calls).unwrap(), [json!({ "reasoning_content": "Hm." })]);
        assert_eq!(read(delta, true, calls).unwrap(), [] as [Value; 0], "a begun answer has its reasoning");
        assert!(!calls.any());
        assert_eq!(fields(None, None, false, calls).unwrap(), []);
    }

    #[test]
    fn calls_without_an_index_get_one() {
        let calls = &mut ToolCalls::default();
        let whole = json!({ "tool_calls": [{ "id": "a" }, { "id": "b" }] });
        let indexed = json!({ "tool_calls": [{ "id": "a", "index": 0 }, { "id": "b", "index": 1 }] });
        assert_eq!(read(whole, false, calls).unwrap(), [indexed]);
        // A stream whose server leaves the index out: the arguments of a call follow its id.
        for (id, index) in [(Some("c"), 2), (None, 2), (Some("d"), 3), (Some("d"), 3)] {
            let read = read(json!({ "tool_calls": [{ "id": id }] }), false, calls).unwrap();
            assert_eq!(read[0]["tool_calls"][0]["index"], index, "{id:?}");
        }
        let many = json!({ "tool_calls": [{ "index": 100_000 }] });
        assert!(read(many, false, calls).is_err(), "beyond the bound");
        assert!(read(json!({ "tool_calls": ["x"] }), false, &mut ToolCalls::default()).is_err());
    }

    #[test]
    fn long_fields_are_cut_where_clients_add_them_up() {
        let (arguments, thought) = ("é".repeat(MAX_FIELDS_BYTES), "y".repeat(MAX_FIELDS_BYTES));
        let call = json!({ "id": "a", "function": { "name": "f", "arguments": arguments } });
        let delta = json!({ "reasoning": thought, "tool_calls": [call] });
        let parts = read(delta, false, &mut ToolCalls::default()).unwrap();
        let texts =
            |path: &str| -> String { parts.iter().filter_map(|part| part.pointer(path)?.as_str()).collect() };
        assert_eq!(texts("/reasoning"), thought);
        assert_eq!(texts("/tool_calls/0/function/arguments"), arguments);
        assert_eq!(texts("/tool_calls/0/function/name"), "f");
        assert!(parts.iter().all(|part| part.to_string().len() <= MAX_FIELDS_BYTES));
        let calls = parts.iter().filter_map(|part| part.pointer("/tool_calls/0/index")?.as_u64());
        assert!(calls.clone().count() > 2 && calls.clone().all(|index| index == 0));
    }
}
