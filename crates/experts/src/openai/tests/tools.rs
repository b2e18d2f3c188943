//! Tools: what the server gets of a conversation with calls, and what becomes of the calls that it sends.

use nervure_protocol::{ChatMessage, MessageFields, Role};
use serde_json::json;

use super::*;

fn chunk(delta: &str, reason: &str) -> String {
    format!("data: {{\"choices\":[{{\"delta\":{delta},\"finish_reason\":{reason}}}]}}\n\n")
}

async fn ask(body: String, kind: &'static str, sampling: Sampling) -> Vec<Result<ExpertEvent, ExpertError>> {
    let expert = connect(server("200 OK", kind, body, AfterBody::Close).await).await;
    expert.run(ExpertRequest::chat("Hi", sampling)).collect().await
}

/// The fields of the pieces, and why the answer ended.
fn seen(items: &[Result<ExpertEvent, ExpertError>]) -> (Vec<&str>, Option<FinishReason>) {
    let fields = items.iter().filter_map(|item| match item {
        Ok(ExpertEvent::Fields(fields)) => Some(fields.as_str()),
        _ => None,
    });
    let reason = match items.last() {
        Some(Ok(ExpertEvent::Done { reason, .. })) => Some(*reason),
        _ => None,
    };
    (fields.collect(), reason)
}

#[test]
fn the_server_gets_the_messages_of_an_agent_as_they_are() {
    let messages = json!([
        { "role": "user", "content": [{ "type": "image_url", "image_url": { "url": "data:x" } }] },
        { "role": "assistant", "content": null, "tool_calls": [{ "id": "a", "type": "function" }] },
        { "role": "tool", "content": "5", "tool_call_id": "a" },
    ]);
    let fields = |value: serde_json::Value| MessageFields::new(value.as_object().unwrap()).unwrap();
    let message =
        |role, content: &str, value| ChatMessage { fields: fields(value), ..ChatMessage::new(role, content) };
    let sent = vec![
        message(Role::User, "", json!({ "content": messages[0]["content"] })),
        message(Role::Assistant, "", json!({ "content": null, "tool_calls": messages[1]["tool_calls"] })),
        message(Role::Tool, "5", json!({ "tool_call_id": "a" })),
    ];
    let request = ExpertRequest::Chat { messages: sent, sampling: Sampling::default() };
    assert_eq!(request.validate(), Ok(()));
    assert_eq!(answer::text_body("m", request).1["messages"], messages);
}

#[tokio::test]
async fn calls_and_reasoning_are_pieces_of_the_answer() {
    let call = r#"{"role":"assistant","content":null,"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":""}}]}"#;
    let rest = r#"{"tool_calls":[{"index":0,"function":{"arguments":"{}"}}]}"#;
    let body = [
        &*chunk(r#"{"reasoning_content":"Hm."}"#, "null"),
        &*chunk(call, "null"),
        &*chunk(rest, "null"),
        // Some servers end an answer with calls as any other.
        &*chunk("{}", "\"stop\""),
        DONE,
    ]
    .concat();
    let items = ask(body, "", Sampling::default()).await;
    let expected = vec![
        r#"{"reasoning_content":"Hm."}"#,
        r#"{"tool_calls":[{"function":{"arguments":"","name":"f"},"id":"a","index":0}]}"#,
        r#"{"tool_calls":[{"function":{"arguments":"{}"},"index":0}]}"#,
    ];
    assert_eq!(seen(&items), (expected, Some(FinishReason::ToolCalls)));
}

#[tokio::test]
async fn an_answer_as_a_whole_has_its_calls_too() {
    let body = json!({ "choices": [{
        "message": { "role": "assistant", "content": null, "tool_calls": [{ "id": "a" }, { "id": "b" }] },
        "finish_reason": "tool_calls",
    }] });
    let items = ask(body.to_string(), "content-type: application/json\r\n", Sampling::default()).await;
    let expected = vec![r#"{"tool_calls":[{"id":"a","index":0},{"id":"b","index":1}]}"#];
    assert_eq!(seen(&items), (expected, Some(FinishReason::ToolCalls)));
}

#[tokio::test]
async fn an_answer_that_continues_another_has_no_second_reasoning() {
    let body = [
        &*chunk(r#"{"reasoning":"Hm."}"#, "null"),
        &*chunk(r#"{"content":"one two"}"#, "null"),
        &*chunk("{}", "\"stop\""),
        DONE,
    ]
    .concat();
    let sampling = Sampling { prefix: "one".into(), ..Sampling::default() };
    let items = ask(body, "", sampling).await;
    assert_eq!(items[0], text(" two"));
    assert_eq!(seen(&items), (vec![], Some(FinishReason::Stop)));
}

#[tokio::test]
async fn no_more_pieces_of_calls_pass_than_tokens_are_allowed() {
    let piece = chunk(r#"{"tool_calls":[{"index":0,"function":{"arguments":"x"}}]}"#, "null");
    let body = [&*piece.repeat(5), DONE].concat();
    let items = ask(body, "", Sampling { max_tokens: 3, ..Sampling::default() }).await;
    let (fields, reason) = seen(&items);
    assert_eq!((fields.len(), reason), (3, Some(FinishReason::Length)));
}
