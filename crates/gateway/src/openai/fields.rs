//! What an answer has beside its text, added up from its pieces as clients of the OpenAI API add up the deltas of a stream.

use serde_json::{Map, Value};

/// Names whose value comes once; some servers repeat it in every piece.
const ONCE: [&str; 4] = ["id", "index", "name", "type"];

/// The only list whose items are in pieces, too. The index of each is below 128, which the protocol checks.
const TOOL_CALLS: &str = "tool_calls";

/// Adds the fields of the next piece. The bound on an answer's bytes holds for all of them together.
pub(crate) fn add_up(sum: &mut Map<String, Value>, piece: Map<String, Value>) {
    for (name, value) in piece {
        let known = sum.entry(&name).or_insert(Value::Null);
        match (known, value) {
            (Value::Array(calls), Value::Array(more)) if name == TOOL_CALLS => {
                more.into_iter().for_each(|call| add_call(calls, call));
            }
            (known, value) if !ONCE.contains(&name.as_str()) || is_missing(known) => add(known, value),
            _ => {}
        }
    }
}

fn is_missing(value: &Value) -> bool {
    value.is_null() || value == ""
}

fn add(sum: &mut Value, piece: Value) {
    match (sum, piece) {
        (_, Value::Null) => {}
        (Value::String(text), Value::String(more)) => text.push_str(&more),
        (Value::Object(fields), Value::Object(more)) => add_up(fields, more),
        (Value::Array(items), Value::Array(more)) => items.extend(more),
        (sum, piece) => *sum = piece,
    }
}

/// Adds a piece of a call to the one with the same index.
fn add_call(calls: &mut Vec<Value>, piece: Value) {
    match calls.iter_mut().find(|known| known["index"] == piece["index"]) {
        Some(known) => add(known, piece),
        None => calls.push(piece),
    }
}

/// The fields of the message of a complete chat, and the log probabilities of its choice. Calls come in order, and without
/// the index that only pieces have.
pub(super) fn of_message(mut sum: Map<String, Value>) -> MessageParts {
    let logprobs = sum.remove("logprobs");
    if let Some(Value::Array(calls)) = sum.get_mut(TOOL_CALLS) {
        calls.sort_by_key(|call| call["index"].as_u64());
        for call in calls.iter_mut().filter_map(Value::as_object_mut) {
            call.remove("index");
        }
    }
    let refusal = sum.remove("refusal").filter(|refusal| !is_missing(refusal));
    MessageParts { logprobs, refusal, others: sum }
}

/// Where the fields of a complete chat belong.
pub(super) struct MessageParts {
    pub(super) logprobs: Option<Value>,
    pub(super) refusal: Option<Value>,
    pub(super) others: Map<String, Value>,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn sum(pieces: Value) -> Value {
        let mut sum = Map::new();
        for piece in pieces.as_array().unwrap() {
            add_up(&mut sum, piece.as_object().unwrap().clone());
        }
        let MessageParts { logprobs, refusal, others } = of_message(sum);
        json!({ "logprobs": logprobs, "refusal": refusal, "others": others })
    }

    #[test]
    fn pieces_of_calls_belong_together_by_their_index() {
        let call = |index: u64, id: &str, name: &str, arguments: &str| {
            json!({ "tool_calls": [{
                "index": index, "id": id, "type": "function", "function": { "name": name, "arguments": arguments },
            }] })
        };
        let pieces = json!([
            { "reasoning_content": "H" },
            call(1, "b", "g", ""),
            call(0, "a", "f", "{\"x\""),
            { "reasoning_content": "m." },
            // A server that repeats what comes once, and one that leaves it out.
            call(0, "a", "f", ":1}"),
            { "tool_calls": [{ "index": 1, "function": { "arguments": "{}" } }] },
        ]);
        let expected = json!([
            { "id": "a", "type": "function", "function": { "name": "f", "arguments": "{\"x\":1}" } },
            { "id": "b", "type": "function", "function": { "name": "g", "arguments": "{}" } },
        ]);
        let sum = sum(pieces);
        assert_eq!(sum["others"], json!({ "reasoning_content": "Hm.", "tool_calls": expected }));
    }

    #[test]
    fn log_probabilities_are_a_list_for_all_tokens() {
        let token = |token: &str| json!({ "logprobs": { "content": [{ "token": token, "logprob": -0.5 }] } });
        let sum = sum(json!([token("a"), token("b"), { "refusal": "" }]));
        let tokens = sum["logprobs"]["content"].as_array().unwrap();
        assert_eq!((tokens.len(), &tokens[1]["token"]), (2, &json!("b")));
        assert_eq!((&sum["refusal"], &sum["others"]), (&Value::Null, &json!({})));
    }

    #[test]
    fn pieces_of_other_forms_replace_what_was_there() {
        let sum =
            sum(json!([{ "annotations": [1] }, { "annotations": { "a": 1 } }, { "annotations": null }]));
        assert_eq!(sum["others"], json!({ "annotations": { "a": 1 } }));
    }
}
