//! Fields of the OpenAI API, and of its dialects, that the mesh carries without reading them: of a request, of a message of a
//! chat, and of a piece of an answer.
//!
//! They are one JSON object in canonical form: sorted names, no spaces, every name once. The text is bounded before it is
//! decoded, and `serde_json` bounds its recursion before [`MAX_EXTRA_DEPTH`] is checked.
//!
//! # What a hostile peer can do
//! An asker's fields reach the model server of a miner. A name that the mesh decides itself (`model`, `stream`,
//! `max_tokens`, ..) is refused here, so an asker cannot replace what the request states elsewhere. So is one whose answer
//! the mesh cannot carry (`n`, `echo`, ..): the answer would lack it. An expert's fields reach the asker's client, so only
//! those that clients know are let through, and calls of tools only with an index within its bound.

mod rules;

use std::marker::PhantomData;

use nervure_primitives::Excerpt;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Number, Value};

use super::FieldError;
use crate::bounds::{MAX_EXTRA, MAX_EXTRA_DEPTH, MAX_EXTRA_FIELDS};

pub use rules::{AnswerRules, FieldRules, MessageRules, RequestRules};

/// Times that a document is written and read until its text stays the same: a number may change its form once.
const MAX_PASSES: usize = 4;

/// Further fields of a request; none by default.
pub type ExtraFields = JsonFields<RequestRules>;

/// Fields of a message of a chat beside its role and its text, such as `tool_calls` and `name`. `content` is there when the
/// message has parts that are no text, or none: it takes the place of the text then.
pub type MessageFields = JsonFields<MessageRules>;

/// Fields of a piece of an answer beside its text, such as `tool_calls` and `reasoning_content`. Clients add them up as
/// they add up the deltas of a streamed chat: strings are appended, and calls of tools belong together by their index.
pub type AnswerFields = JsonFields<AnswerRules>;

/// Fields that obey rules, as canonical JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String", bound = "K: FieldRules + Clone")]
pub struct JsonFields<K>(String, PhantomData<K>);

impl<K> Default for JsonFields<K> {
    fn default() -> Self {
        Self(String::new(), PhantomData)
    }
}

#[cfg(feature = "schema")]
impl<K> schemars::JsonSchema for JsonFields<K> {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "JsonFields".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        String::json_schema(generator)
    }
}

impl<K: FieldRules> JsonFields<K> {
    /// These fields, in canonical form.
    ///
    /// # Errors
    /// [`FieldError`] for a field that the rules do not allow, and beyond [`MAX_EXTRA`] bytes, [`MAX_EXTRA_FIELDS`] or
    /// [`MAX_EXTRA_DEPTH`].
    pub fn new(fields: &Map<String, Value>) -> Result<Self, FieldError> {
        if fields.is_empty() {
            return Ok(Self::default());
        }
        let mut text = canonical(fields);
        for _ in 0..MAX_PASSES {
            let again = canonical(&decode::<K>(&text)?);
            if again == text {
                return Ok(Self(text, PhantomData));
            }
            text = again;
        }
        Err(FieldError::new(K::PATH, "a number has no canonical form"))
    }

    /// The fields, sorted by name.
    #[must_use]
    pub fn fields(&self) -> Map<String, Value> {
        // Every constructor has decoded this text.
        decode::<K>(&self.0).unwrap_or_default()
    }

    /// Refuses further fields by their names, for a model that has none.
    ///
    /// # Errors
    /// [`FieldError`] naming the first one.
    pub fn none(&self) -> Result<(), FieldError> {
        match self.fields().keys().next() {
            Some(name) => Err(FieldError::new(K::PATH, format!("this model does not support '{name}'"))),
            None => Ok(()),
        }
    }
}

impl<K> JsonFields<K> {
    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The text of the document; empty without fields.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl AnswerFields {
    /// Whether it is nothing but what the model thinks before it answers. Another expert thinks again; anything else has
    /// to go on where it was.
    #[must_use]
    pub fn is_reasoning(&self) -> bool {
        self.fields().keys().all(|name| name.starts_with("reasoning"))
    }
}

impl<K> From<JsonFields<K>> for String {
    fn from(fields: JsonFields<K>) -> Self {
        fields.0
    }
}

impl<K: FieldRules> TryFrom<String> for JsonFields<K> {
    type Error = FieldError;

    fn try_from(text: String) -> Result<Self, FieldError> {
        let fields = decode::<K>(&text)?;
        // Each document has one text, and an empty one is absent.
        if fields.is_empty() || canonical(&fields) != text {
            return Err(FieldError::new(K::PATH, "not a canonical JSON object"));
        }
        Ok(Self(text, PhantomData))
    }
}

/// The fields of a text, within their bounds.
fn decode<K: FieldRules>(text: &str) -> Result<Map<String, Value>, FieldError> {
    let bad = |reason: String| Err(FieldError::new(K::PATH, reason));
    if text.len() > MAX_EXTRA {
        return bad(format!("{} bytes, at most {MAX_EXTRA} allowed", text.len()));
    }
    let Ok(fields) = serde_json::from_str::<Map<String, Value>>(text) else {
        return bad("not a JSON object".to_owned());
    };
    for (name, value) in &fields {
        if let Err(why) = K::check(name, value) {
            // The name is bounded by the document, and the text of an error is not.
            return bad(format!("'{}' {why}", Excerpt::new(name)));
        }
    }
    if fields.len() > MAX_EXTRA_FIELDS {
        return bad(format!("{} fields, at most {MAX_EXTRA_FIELDS} allowed", fields.len()));
    }
    if fields.values().map(depth).max() > Some(MAX_EXTRA_DEPTH) {
        return bad(format!("at most {MAX_EXTRA_DEPTH} levels allowed"));
    }
    Ok(fields)
}

/// The levels of a value. `serde_json` has refused more than 128, so the recursion is bounded.
fn depth(value: &Value) -> usize {
    let below = match value {
        Value::Array(items) => items.iter().map(depth).max(),
        Value::Object(fields) => fields.values().map(depth).max(),
        _ => return 0,
    };
    below.unwrap_or(0) + 1
}

fn canonical(fields: &Map<String, Value>) -> String {
    // Sorted here, because a feature of `serde_json` that another crate enables keeps the order of insertion.
    sorted(&Value::Object(fields.clone())).to_string()
}

fn sorted(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(sorted).collect(),
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.iter().collect();
            fields.sort_by_key(|(name, _)| *name);
            Value::Object(fields.into_iter().map(|(name, value)| (name.clone(), sorted(value))).collect())
        }
        Value::Number(number) => Value::Number(rounded(number)),
        other => other.clone(),
    }
}

/// A number with a fraction or an exponent keeps 15 digits: `serde_json` reads more of them inexactly, and their text would
/// change each time that it is read and written.
fn rounded(number: &Number) -> Number {
    let float = if number.is_f64() { number.as_f64() } else { None };
    let digits = float.and_then(|float| format!("{float:.14e}").parse().ok());
    digits.and_then(Number::from_f64).unwrap_or_else(|| number.clone())
}

#[cfg(test)]
mod tests;
