//! Canonical form, and hostile documents.

use proptest::prelude::*;
use serde_json::json;

use super::{
    rules::{MAX_TOOL_CALLS, OF_ANSWERS, RESERVED},
    *,
};

fn new(value: &Value) -> Result<ExtraFields, FieldError> {
    ExtraFields::new(value.as_object().unwrap())
}

fn decoded(text: &str) -> Result<ExtraFields, FieldError> {
    text.to_owned().try_into()
}

fn nested(levels: usize) -> Value {
    (0..levels).fold(json!(1), |inner, _| json!([inner]))
}

#[test]
fn a_document_has_one_text() {
    let fields = new(&json!({ "top_k": 5, "grammar": { "b": 0.5, "a": [null, 1.0] } })).unwrap();
    assert_eq!(String::from(fields), r#"{"grammar":{"a":[null,1.0],"b":0.5},"top_k":5}"#);
    for other in [
        "",
        "{}",
        "[]",
        "{",
        "null",
        r#"{"b":1,"a":1}"#,
        r#"{"a": 1}"#,
        r#"{"a":1,"a":1}"#,
        r#"{"a":1e0}"#,
        r#"{"a":1} "#,
    ] {
        assert!(decoded(other).is_err(), "{other}");
    }
    assert!(new(&json!({})).unwrap().is_empty());
}

#[test]
fn refuses_reserved_names_and_documents_beyond_the_bounds() {
    for name in RESERVED {
        assert!(decoded(&format!("{{\"{name}\":1}}")).is_err(), "{name}");
    }
    assert!(decoded(&"[".repeat(1 << 20)).is_err());
    assert!(decoded(&format!("{{\"a\":{}", "[".repeat(1 << 15))).is_err());
    let names = |count| Value::Object((0..count).map(|n| (format!("f{n}"), json!(n))).collect());
    assert!(new(&names(MAX_EXTRA_FIELDS)).is_ok());
    assert!(new(&names(MAX_EXTRA_FIELDS + 1)).is_err());
    assert!(new(&json!({ "a": nested(MAX_EXTRA_DEPTH) })).is_ok());
    assert!(new(&json!({ "a": nested(MAX_EXTRA_DEPTH + 1) })).is_err());
    assert!(new(&json!({ "a": "x".repeat(MAX_EXTRA) })).is_err());
}

#[test]
fn a_model_without_further_fields_refuses_the_first_by_name() {
    assert_eq!(ExtraFields::default().none(), Ok(()));
    let error = new(&json!({ "top_k": 5, "min_p": 0.1 })).unwrap().none().unwrap_err();
    assert_eq!(error.to_string(), "sampling.extra: this model does not support 'min_p'");
}

#[test]
fn a_message_has_its_role_and_its_text_elsewhere() {
    let of = |value: Value| MessageFields::new(value.as_object().unwrap());
    assert!(of(json!({ "tool_calls": [{ "id": "a" }], "name": "x", "content": null })).is_ok());
    assert!(of(json!({ "content": [{ "type": "image_url" }] })).is_ok());
    assert!(of(json!({ "content": "a text" })).is_err());
    assert!(of(json!({ "role": "user" })).is_err());
}

#[test]
fn an_answer_has_fields_that_clients_can_add_up() {
    let of = |value: Value| AnswerFields::new(value.as_object().unwrap());
    let call = |index: Value| json!({ "tool_calls": [{ "index": index, "function": { "arguments": "{" } }] });
    assert!(of(call(json!(0))).is_ok());
    assert!(of(call(json!(MAX_TOOL_CALLS - 1))).is_ok());
    for index in [json!(MAX_TOOL_CALLS), json!(-1), json!("0"), json!(0.5), Value::Null] {
        assert!(of(call(index.clone())).is_err(), "{index}");
    }
    for bad in [
        json!({ "tool_calls": [] }),
        json!({ "tool_calls": ["x"] }),
        json!({ "tool_calls": {} }),
        json!({ "reasoning_content": 5 }),
        json!({ "content": "x" }),
        json!({ "role": "system" }),
        json!({ "finish_reason": "stop" }),
    ] {
        assert!(of(bad.clone()).is_err(), "{bad}");
    }
    for name in OF_ANSWERS {
        let value = if name == "tool_calls" { json!([{ "index": 0 }]) } else { json!("x") };
        assert!(of(json!({ name: value })).is_ok(), "{name}");
    }
}

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (any::<i64>(), -20i32..20).prop_map(|(digits, power)| Value::from(digits as f64 * 10f64.powi(power))),
        ".{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-z]{1,4}", inner, 0..4)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read_as_the_same(value in values()) {
        let fields = new(&json!({ "x": value })).unwrap();
        let text = String::from(fields.clone());
        prop_assert_eq!(&decoded(&text).unwrap(), &fields);
        prop_assert_eq!(ExtraFields::new(&fields.fields()).unwrap(), fields);
    }

    #[test]
    fn any_text_is_refused_or_read(text in ".{0,64}") {
        if let Ok(fields) = decoded(&text) {
            prop_assert_eq!(String::from(fields), text);
        }
    }
}
