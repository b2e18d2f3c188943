//! Further fields of a request: those of the OpenAI API, and of its dialects, that the mesh carries without reading them.
//!
//! They are one JSON object in canonical form: sorted names, no spaces, every name once. The text is bounded before it is
//! decoded, and `serde_json` bounds its recursion before [`MAX_EXTRA_DEPTH`] is checked.
//!
//! # What a hostile asker can do
//! The fields reach the model server of a miner. A name that the mesh decides itself (`model`, `stream`, `max_tokens`, ..)
//! is refused here, so an asker cannot replace what the request states elsewhere. So is one whose answer the mesh cannot
//! carry (`tools`, `n`, `logprobs`, ..): the answer would lack it.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Number, Value};

use super::FieldError;
use crate::bounds::{MAX_EXTRA, MAX_EXTRA_DEPTH, MAX_EXTRA_FIELDS};

/// The path in errors.
const FIELD: &str = "sampling.extra";

/// Times that a document is written and read until its text stays the same: a number may change its form once.
const MAX_PASSES: usize = 4;

/// Names that cannot be further fields: the request has them elsewhere, or the answer has no place for their result.
const RESERVED: [&str; 25] = [
    "model",
    "messages",
    "prompt",
    "input",
    "stream",
    "stream_options",
    "max_tokens",
    "max_completion_tokens",
    "n_predict",
    "temperature",
    "top_p",
    "seed",
    "stop",
    "nervure",
    "n",
    "best_of",
    "logprobs",
    "top_logprobs",
    "prompt_logprobs",
    "echo",
    "tools",
    "functions",
    "tool_choice",
    "audio",
    "modalities",
];

/// Further fields of a request, as canonical JSON; none by default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(try_from = "String", into = "String")]
pub struct ExtraFields(String);

impl ExtraFields {
    /// These fields, in canonical form.
    ///
    /// # Errors
    /// [`FieldError`] for a reserved name, and beyond [`MAX_EXTRA`] bytes, [`MAX_EXTRA_FIELDS`] or [`MAX_EXTRA_DEPTH`].
    pub fn new(fields: &Map<String, Value>) -> Result<Self, FieldError> {
        if fields.is_empty() {
            return Ok(Self::default());
        }
        let mut text = canonical(fields);
        for _ in 0..MAX_PASSES {
            let again = canonical(&decode(&text)?);
            if again == text {
                return Ok(Self(text));
            }
            text = again;
        }
        Err(FieldError::new(FIELD, "a number has no canonical form"))
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The fields, sorted by name.
    #[must_use]
    pub fn fields(&self) -> Map<String, Value> {
        // Every constructor has decoded this text.
        decode(&self.0).unwrap_or_default()
    }

    /// Refuses further fields by their names, for a model that has none.
    ///
    /// # Errors
    /// [`FieldError`] naming the first one.
    pub fn none(&self) -> Result<(), FieldError> {
        match self.fields().keys().next() {
            Some(name) => Err(FieldError::new(FIELD, format!("this model does not support '{name}'"))),
            None => Ok(()),
        }
    }
}

impl From<ExtraFields> for String {
    fn from(fields: ExtraFields) -> Self {
        fields.0
    }
}

impl TryFrom<String> for ExtraFields {
    type Error = FieldError;

    fn try_from(text: String) -> Result<Self, FieldError> {
        let fields = decode(&text)?;
        // Each document has one text, and an empty one is absent.
        if fields.is_empty() || canonical(&fields) != text {
            return Err(FieldError::new(FIELD, "not a canonical JSON object"));
        }
        Ok(Self(text))
    }
}

/// The fields of a text, within their bounds.
fn decode(text: &str) -> Result<Map<String, Value>, FieldError> {
    let bad = |reason: String| Err(FieldError::new(FIELD, reason));
    if text.len() > MAX_EXTRA {
        return bad(format!("{} bytes, at most {MAX_EXTRA} allowed", text.len()));
    }
    let Ok(fields) = serde_json::from_str::<Map<String, Value>>(text) else {
        return bad("not a JSON object".to_owned());
    };
    if let Some(name) = fields.keys().find(|name| RESERVED.contains(&name.as_str())) {
        return bad(format!("'{name}' cannot be a further field"));
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
