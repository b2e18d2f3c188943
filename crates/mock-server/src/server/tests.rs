//! The server over a real socket, used with plain HTTP and with the expert that miners use for any model server.

use std::time::Duration;

use futures::StreamExt;
use nervure_experts::{Expert, ExpertError, Health, OpenAiConfig, OpenAiExpert};
use nervure_protocol::{
    ChatMessage, ExpertEvent, ExpertRequest, ExtraFields, FinishReason, MessageFields, Role, Sampling,
};
use serde_json::{Value, json};
use tokio_util::sync::DropGuard;

use super::*;

const RESPONSE_TIMEOUT: Duration = Duration::from_secs(20);

async fn start() -> (SocketAddr, DropGuard) {
    let server = MockServer::bind(([127, 0, 0, 1], 0).into()).await.unwrap();
    let (address, stop) = (server.local_addr(), CancellationToken::new());
    tokio::spawn(server.run(stop.clone()));
    (address, stop.drop_guard())
}

async fn post(address: SocketAddr, path: &str, body: &Value) -> (u16, String) {
    let client = reqwest::Client::builder().no_proxy().timeout(RESPONSE_TIMEOUT).build().unwrap();
    let response = client.post(format!("http://{address}{path}")).json(body).send().await.unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}

async fn expert(address: SocketAddr, model: &str) -> OpenAiExpert {
    let config =
        OpenAiConfig { model: Some(model.into()), ..OpenAiConfig::new(format!("http://{address}/v1")) };
    OpenAiExpert::connect(config).await.unwrap()
}

fn text_of(events: &[Result<ExpertEvent, ExpertError>]) -> String {
    let text = |event: &Result<ExpertEvent, ExpertError>| match event {
        Ok(ExpertEvent::Text(text)) => Some(text.clone()),
        _ => None,
    };
    events.iter().filter_map(text).collect()
}

#[tokio::test]
async fn answers_in_one_piece_and_as_a_stream() {
    let (address, _stop) = start().await;
    let ask = |stream: bool| {
        let messages =
            json!([{"role": "system", "content": "x"}, {"role": "user", "content": "What is 6 * 7?"}]);
        json!({"model": "mock-100", "messages": messages, "stream": stream, "temperature": 0.7})
    };
    let (status, whole) = post(address, "/v1/chat/completions", &ask(false)).await;
    let whole: Value = serde_json::from_str(&whole).unwrap();
    let text = whole["choices"][0]["message"]["content"].as_str().unwrap();
    assert!(status == 200 && text.ends_with("Answer: 42") && text.contains("mock"), "{whole}");
    let (_, stream) = post(address, "/v1/chat/completions", &ask(true)).await;
    let pieces =
        stream.lines().filter_map(|line| serde_json::from_str::<Value>(line.strip_prefix("data: ")?).ok());
    let streamed: String = pieces
        .filter_map(|piece| Some(piece["choices"][0]["delta"]["content"].as_str()?.to_owned()))
        .collect();
    assert_eq!(streamed, text);
    assert!(stream.trim_end().ends_with("data: [DONE]"), "{stream}");
    let cut = json!({"model": "mock-100", "prompt": "What is 6 * 7?", "max_tokens": 2});
    let (_, cut) = post(address, "/v1/completions", &cut).await;
    let cut: Value = serde_json::from_str(&cut).unwrap();
    assert_eq!(cut["choices"][0]["finish_reason"], "length");
    assert_eq!(cut["choices"][0]["text"], "Computed by ");
}

#[tokio::test]
async fn works_as_the_upstream_of_an_expert() {
    let (address, _stop) = start().await;
    let chat = expert(address, "mock-100").await;
    assert_eq!((chat.health().await, chat.card().context), (Health::Ready, 16_384));
    let messages = vec![ChatMessage::new(Role::User, "Which date is 2 days after 2024-02-28?")];
    let events: Vec<_> =
        chat.run(ExpertRequest::Chat { messages, sampling: Sampling::default() }).collect().await;
    let text = text_of(&events);
    assert!(text.ends_with("Answer: 2024-03-01"), "{text}");
    assert!(
        matches!(events.last(), Some(Ok(ExpertEvent::Done { usage, .. })) if usage.completion_tokens > 3)
    );

    let vectors = expert(address, "mock-embed-100").await;
    let inputs = vec!["the dog barks".into(), "a hound".into(), String::new()];
    let events: Vec<_> = vectors.run(ExpertRequest::Embed { inputs }).collect().await;
    assert!(
        matches!(&events[2], Ok(ExpertEvent::Embedding { index: 2, vector }) if vector.len() == 128),
        "{events:?}"
    );
}

#[tokio::test]
async fn calls_a_tool_and_answers_with_its_result() {
    let (address, _stop) = start().await;
    let expert = expert(address, "mock-100").await;
    let tools = json!({ "tools": [{ "type": "function", "function": { "name": "look_up" } }] });
    let extra = ExtraFields::new(tools.as_object().unwrap()).unwrap();
    let sampling = Sampling { extra, ..Sampling::default() };
    let events: Vec<_> = expert.run(ExpertRequest::chat("Why?", sampling.clone())).collect().await;
    let fields = |event: &_| match event {
        Ok(ExpertEvent::Fields(fields)) => Some(fields.as_str().to_owned()),
        _ => None,
    };
    let pieces: Vec<String> = events.iter().filter_map(fields).collect();
    assert!(pieces.len() == 2 && pieces[0].contains("look_up") && pieces[1].contains("Why?"), "{events:?}");
    assert!(
        matches!(events.last(), Some(Ok(ExpertEvent::Done { reason: FinishReason::ToolCalls, .. }))),
        "{events:?}"
    );
    let result = json!({ "tool_call_id": "call_0" });
    let fields = MessageFields::new(result.as_object().unwrap()).unwrap();
    let result = ChatMessage { fields, ..ChatMessage::new(Role::Tool, "Because.") };
    let messages = vec![ChatMessage::new(Role::User, "Why?"), result];
    let events: Vec<_> = expert.run(ExpertRequest::Chat { messages, sampling }).collect().await;
    let text = text_of(&events);
    assert_eq!(text, "The tool says: Because.");
}

#[tokio::test]
async fn lists_its_models_and_refuses_invalid_requests() {
    let (address, _stop) = start().await;
    let models =
        reqwest::get(format!("http://{address}/v1/models")).await.unwrap().json::<Value>().await.unwrap();
    let models = models["data"].as_array().unwrap();
    assert!(
        models.len() == 6 && models.iter().all(|model| model["owned_by"] == "nervure mock server"),
        "{models:?}"
    );
    let chat = |model: &str| json!({"model": model, "messages": [{"role": "user", "content": "x"}]});
    let long = json!({"model": "mock-100", "messages": [{"role": "user", "content": "x".repeat(600_000)}]});
    let many = json!({"model": "mock-embed-100", "input": vec!["x"; 129]});
    for (path, body, status, says) in [
        ("/v1/chat/completions", chat("gpt-5"), 404, "mock model server has no model 'gpt-5' for this"),
        ("/v1/chat/completions", chat("mock-embed-100"), 404, "mock-100, mock-70"),
        ("/v1/chat/completions", json!({"model": "mock-100", "messages": []}), 400, "no message"),
        ("/v1/chat/completions", json!({"messages": 3}), 400, "messages"),
        ("/v1/chat/completions", long, 413, "body"),
        ("/v1/completions", json!({"model": "mock-100"}), 400, "prompt"),
        ("/v1/embeddings", many, 400, "128 texts"),
        ("/v1/embeddings", json!({"model": "mock-embed-100", "input": [1]}), 400, "input"),
        ("/v1/images", json!({}), 404, "mock model server"),
    ] {
        let (got, text) = post(address, path, &body).await;
        assert!(got == status && text.contains(says), "{path}: {got} {text}");
    }
}

#[tokio::test]
async fn listens_on_loopback_only_and_reports_a_port_in_use() {
    let open = MockServer::bind(([0, 0, 0, 0], 0).into()).await.err().unwrap();
    assert!(matches!(open, MockServerError::NotLoopback(_)), "{open}");
    let (address, _stop) = start().await;
    assert!(MockServer::bind(address).await.err().unwrap().port_in_use());
}
