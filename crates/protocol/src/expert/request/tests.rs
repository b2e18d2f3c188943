//! Bounds and encoding of requests.

use nervure_primitives::cbor::{self, Limits};

use super::*;

fn field_of(result: Result<(), FieldError>) -> &'static str {
    match result {
        Err(FieldError { field, .. }) => field,
        Ok(()) => panic!("expected an error"),
    }
}

fn sampling(change: impl FnOnce(&mut Sampling)) -> Sampling {
    let mut sampling = Sampling::default();
    change(&mut sampling);
    sampling
}

#[test]
fn an_error_names_the_sampling_field() {
    assert_eq!(Sampling::default().validate(), Ok(()));
    for (wrong, field) in [
        (sampling(|s| s.max_tokens = 0), "sampling.max_tokens"),
        (sampling(|s| s.max_tokens = MAX_TOKENS + 1), "sampling.max_tokens"),
        (sampling(|s| s.temperature_milli = MAX_TEMPERATURE_MILLI + 1), "sampling.temperature_milli"),
        (sampling(|s| s.top_p_milli = 0), "sampling.top_p_milli"),
        (sampling(|s| s.top_p_milli = 1001), "sampling.top_p_milli"),
        (sampling(|s| s.stop = vec!["x".into(); MAX_STOPS + 1]), "sampling.stop"),
        (sampling(|s| s.stop = vec![String::new()]), "sampling.stop"),
        (sampling(|s| s.stop = vec!["x".repeat(MAX_STOP_LEN + 1)]), "sampling.stop"),
    ] {
        assert_eq!(field_of(wrong.validate()), field);
    }
}

#[test]
fn refuses_too_much_text_and_too_many_items() {
    let long = "x".repeat(MAX_TEXT / 2 + 1);
    let message = ChatMessage::new(Role::User, long.clone());
    let sampling = Sampling::default();
    for (request, field) in [
        (ExpertRequest::Complete { prompt: "x".repeat(MAX_TEXT + 1), sampling: sampling.clone() }, "prompt"),
        (ExpertRequest::Chat { messages: vec![], sampling: sampling.clone() }, "messages"),
        (ExpertRequest::Chat { messages: vec![message; 2], sampling }, "messages"),
        (ExpertRequest::Embed { inputs: vec![] }, "inputs"),
        (ExpertRequest::Embed { inputs: vec!["a".into(); MAX_INPUTS + 1] }, "inputs"),
        (ExpertRequest::Embed { inputs: vec![long; 2] }, "inputs"),
        (ExpertRequest::Distribution { context: vec![0; MAX_TEXT + 1] }, "context"),
    ] {
        assert_eq!(field_of(request.validate()), field);
    }
}

#[test]
fn requests_have_a_canonical_encoding_without_unknown_fields() {
    let requests = [
        ExpertRequest::Complete { prompt: "fn main".into(), sampling: sampling(|s| s.seed = Some(u64::MAX)) },
        ExpertRequest::Chat {
            messages: vec![ChatMessage::new(Role::System, "é")],
            sampling: sampling(|s| s.stop = vec!["\n".into()]),
        },
        ExpertRequest::Embed { inputs: vec!["a".into()] },
        ExpertRequest::Distribution { context: vec![0xFF, 0] },
    ];
    for request in requests {
        let bytes = cbor::encode(&request).unwrap();
        assert_eq!(cbor::decode::<ExpertRequest>(&bytes, Limits::new(1024)).unwrap(), request);
    }
    let extra = serde_json::json!({"embed": {"inputs": ["a"], "model": "x"}});
    let bytes = cbor::encode(&extra).unwrap();
    assert!(cbor::decode::<ExpertRequest>(&bytes, Limits::new(1024)).is_err());
}

fn with_fields(content: &str, fields: serde_json::Value) -> ExpertRequest {
    let fields = MessageFields::new(fields.as_object().unwrap()).unwrap();
    let message = ChatMessage { fields, ..ChatMessage::new(Role::User, content) };
    ExpertRequest::Chat { messages: vec![message], sampling: Sampling::default() }
}

#[test]
fn parts_that_take_the_place_of_a_text_have_the_same_text() {
    let parts = serde_json::json!({ "content": [
        { "type": "text", "text": "What is " },
        { "type": "image_url", "image_url": { "url": "https://example.org/a.png" } },
        { "type": "text", "text": "this?" },
    ] });
    assert_eq!(with_fields("What is this?", parts.clone()).validate(), Ok(()));
    // What counts, charges and routes reads another text than the model would.
    assert_eq!(field_of(with_fields("Hello", parts).validate()), "messages");
    let none = serde_json::json!({ "content": null, "tool_calls": [] });
    assert_eq!(with_fields("", none.clone()).validate(), Ok(()));
    assert_eq!(field_of(with_fields("Hello", none).validate()), "messages");
}

#[test]
fn fields_of_messages_count_as_text() {
    let half = "x".repeat(MAX_TEXT - 60_000);
    let request = |name: usize| with_fields(&half, serde_json::json!({ "name": "y".repeat(name) }));
    assert_eq!(request(50_000).validate(), Ok(()));
    assert_eq!(field_of(request(60_000).validate()), "messages");
    assert!(request(50_000).text_bytes() > half.len() + 50_000);
}

#[test]
fn a_model_of_text_refuses_fields_of_messages_and_results_of_tools() {
    assert_eq!(ExpertRequest::chat("Hi", Sampling::default()).text_only(), Ok(()));
    let named = with_fields("Hi", serde_json::json!({ "name": "Ann" }));
    assert_eq!(
        named.text_only().unwrap_err().to_string(),
        "messages.fields: this model does not support 'name'"
    );
    let result = ExpertRequest::Chat {
        messages: vec![ChatMessage::new(Role::Tool, "5")],
        sampling: Sampling::default(),
    };
    assert_eq!(field_of(result.text_only()), "messages");
}
