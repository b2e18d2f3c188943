//! Tools, as an agent's client sees them: its messages reach the expert whole, and calls come back in both forms.

use nervure_protocol::{ExpertRequest, Role};
use serde_json::{Value, json};

use super::{mock_service::CALL_PIECES, start};

fn tools() -> Value {
    json!([{ "type": "function", "function": { "name": "weather", "parameters": { "type": "object" } } }])
}

fn call() -> Value {
    let function = json!({ "name": "weather", "arguments": "{\"city\":\"Bern\"}" });
    json!({ "id": "a", "type": "function", "function": function })
}

#[tokio::test]
async fn the_messages_of_an_agent_reach_the_expert_whole() {
    let api = start(|_| ()).await;
    let parts = json!([
        { "type": "text", "text": "Where is this, and what is the weather?" },
        { "type": "image_url", "image_url": { "url": "data:image/png;base64,AAAA" } },
    ]);
    let messages = json!([
        { "role": "user", "content": parts, "name": "Ann" },
        { "role": "assistant", "content": null, "tool_calls": [call()], "refusal": null, "annotations": [] },
        { "role": "tool", "tool_call_id": "a", "content": [{ "type": "text", "text": "Rain" }] },
    ]);
    let body = json!({ "model": "words", "messages": messages, "tools": tools(), "tool_choice": "auto" });
    assert_eq!(api.post("/v1/chat/completions", &body).await.status, 200);
    let ExpertRequest::Chat { messages, sampling } = api.service.last().request else { panic!() };
    assert_eq!(sampling.extra.fields()["tools"], tools());
    let seen: Vec<_> = messages.iter().map(|one| (one.role, &*one.content, one.fields.fields())).collect();
    let fields = |value: Value| value.as_object().unwrap().clone();
    assert_eq!(
        seen,
        [
            (
                Role::User,
                "Where is this, and what is the weather?",
                fields(json!({ "content": parts, "name": "Ann" }))
            ),
            (Role::Assistant, "", fields(json!({ "content": null, "tool_calls": [call()] }))),
            (Role::Tool, "Rain", fields(json!({ "tool_call_id": "a" }))),
        ]
    );
}

#[tokio::test]
async fn messages_that_are_wrong_are_refused_by_name() {
    let api = start(|_| ()).await;
    for (message, param) in [
        (json!({ "role": "tool", "content": "Rain" }), "messages[0].tool_call_id"),
        (json!({ "role": "assistant" }), "messages[0].content"),
        (json!({ "role": "user", "content": null, "tool_calls": [call()] }), "messages[0].content"),
        (json!({ "role": "user", "content": ["x"] }), "messages[0].content"),
        (json!({ "role": "user", "content": [{ "type": "text" }] }), "messages[0].content"),
        (json!({ "role": "function", "content": "x" }), "messages[0].role"),
        (json!({ "role": "user", "content": "x", "name": "y".repeat(1 << 16) }), "messages[0]"),
    ] {
        let body = json!({ "model": "words", "messages": [message] });
        let reply = api.post("/v1/chat/completions", &body).await;
        reply.error(400, "invalid_request");
        assert_eq!(reply.json()["error"]["param"], param, "{}", reply.text);
    }
    let forced = json!({ "model": "words", "messages": [{ "role": "user", "content": "x" }], "tool_choice": "required" });
    let reply = api.post("/v1/chat/completions", &forced).await;
    assert_eq!(reply.json()["error"]["param"], "tool_choice", "{}", reply.text);
}

#[tokio::test]
async fn a_call_comes_as_a_message_and_as_deltas() {
    let api = start(|_| ()).await;
    let mut body =
        json!({ "model": "tools", "messages": [{ "role": "user", "content": "Hi" }], "tools": tools() });
    let reply = api.post("/v1/chat/completions", &body).await.json();
    let choice = &reply["choices"][0];
    let message = json!({
        "role": "assistant", "content": null, "refusal": null, "reasoning": "Hm.", "tool_calls": [call()],
    });
    assert_eq!((&choice["message"], &choice["finish_reason"]), (&message, &json!("tool_calls")));
    assert_eq!(choice["logprobs"]["content"][0]["logprob"], json!(-0.5));

    body["stream"] = json!(true);
    let reply = api.post("/v1/chat/completions", &body).await;
    let chunks: Vec<Value> = reply
        .text
        .lines()
        .filter_map(|line| serde_json::from_str(line.strip_prefix("data: ")?).ok())
        .collect();
    let pieces: Vec<Value> = CALL_PIECES.iter().map(|piece| serde_json::from_str(piece).unwrap()).collect();
    let choice = |at: usize| &chunks[at]["choices"][0];
    assert_eq!(choice(1)["delta"], pieces[0]);
    assert_eq!((&choice(2)["delta"], &choice(2)["logprobs"]), (&json!({}), &pieces[1]["logprobs"]));
    assert_eq!((&choice(3)["delta"], &choice(4)["delta"]), (&pieces[2], &pieces[3]));
    assert_eq!((chunks.len(), &choice(5)["finish_reason"]), (6, &json!("tool_calls")));
}
