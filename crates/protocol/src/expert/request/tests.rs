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
    let message = ChatMessage { role: Role::User, content: long.clone() };
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
            messages: vec![ChatMessage { role: Role::System, content: "é".into() }],
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
