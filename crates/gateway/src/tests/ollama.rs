//! Ollama's API: whole and as lines, with tools and vectors.

use nervure_protocol::{ExpertRequest, Role};
use serde_json::{Value, json};

use super::{Running, mock_service::WORDS, start};

fn chat(model: &str) -> Value {
    let function = json!({ "name": "weather", "parameters": { "type": "object" } });
    json!({
        "model": model, "messages": [{ "role": "user", "content": "Hi" }],
        "tools": [{ "type": "function", "function": function }],
    })
}

/// The lines of a stream.
async fn lines(api: &Running, path: &str, body: &Value) -> Vec<Value> {
    let reply = api.post(path, body).await;
    assert_eq!((reply.status, reply.header("content-type")), (200, "application/x-ndjson"), "{}", reply.text);
    reply.text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The texts of a field in all lines.
fn joined(lines: &[Value], path: &str) -> String {
    lines.iter().filter_map(|line| line.pointer(path)?.as_str()).collect()
}

#[tokio::test]
async fn a_chat_is_lines_or_one_document() {
    let api = start(|_| ()).await;
    let streamed = lines(&api, "/api/chat", &chat("words")).await;
    assert_eq!(joined(&streamed, "/message/content"), WORDS.concat());
    let last = streamed.last().unwrap();
    assert_eq!(
        (&last["done"], &last["done_reason"], &last["eval_count"]),
        (&json!(true), &json!("stop"), &json!(3))
    );
    assert!(last["created_at"].as_str().unwrap().starts_with("20"), "{last}");
    let mut whole = chat("words");
    whole["stream"] = json!(false);
    let whole = api.post("/api/chat", &whole).await.json();
    assert_eq!((&whole["message"]["content"], &whole["done"]), (&json!(WORDS.concat()), &json!(true)));
}

#[tokio::test]
async fn calls_come_whole_with_an_object() {
    let api = start(|_| ()).await;
    let call = json!([{ "function": { "name": "weather", "arguments": { "city": "Bern" } } }]);
    let streamed = lines(&api, "/api/chat", &chat("tools")).await;
    assert_eq!(joined(&streamed, "/message/thinking"), "Hm.");
    let calls: Vec<&Value> = streamed.iter().filter_map(|line| line["message"].get("tool_calls")).collect();
    assert_eq!(calls, [&call]);
    let mut whole = chat("tools");
    whole["stream"] = json!(false);
    let message = api.post("/api/chat", &whole).await.json()["message"].clone();
    assert_eq!((&message["tool_calls"], &message["thinking"]), (&call, &json!("Hm.")));
}

#[tokio::test]
async fn a_text_is_a_question_unless_it_is_raw() {
    let api = start(|_| ()).await;
    let body =
        json!({ "model": "words", "prompt": "Hi", "system": "Be brief.", "options": { "num_predict": 9 } });
    assert_eq!(joined(&lines(&api, "/api/generate", &body).await, "/response"), WORDS.concat());
    let ExpertRequest::Chat { messages, sampling } = api.service.last().request else { panic!() };
    assert_eq!(
        (messages[0].role, messages[1].content.as_str(), sampling.max_tokens),
        (Role::System, "Hi", 9)
    );
    let body = json!({ "model": "words", "prompt": "fn ", "raw": true, "stream": false });
    assert_eq!(api.post("/api/generate", &body).await.json()["response"], json!(WORDS.concat()));
    assert!(matches!(api.service.last().request, ExpertRequest::Complete { prompt, .. } if prompt == "fn "));
}

#[tokio::test]
async fn one_that_breaks_off_ends_with_an_error() {
    let api = start(|_| ()).await;
    for model in ["fails", "cut"] {
        let reply = api.post("/api/chat", &chat(model)).await;
        let last: Value = serde_json::from_str(reply.text.lines().last().unwrap()).unwrap();
        assert!(last["error"].is_string() && last["done"] == false, "{last}");
        let mut whole = chat(model);
        whole["stream"] = json!(false);
        api.post("/api/chat", &whole).await.error(502, "interrupted");
    }
}

#[tokio::test]
async fn vectors_names_and_the_version() {
    let api = start(|_| ()).await;
    let reply = api.post("/api/embed", &json!({ "model": "words", "input": ["a", "bcd"] })).await.json();
    assert_eq!(reply["embeddings"], json!([[1.0, 0.5], [3.0, 0.5]]));
    let tags = api.get("/api/tags").await.json();
    assert_eq!(
        (&tags["models"][0]["name"], &tags["models"][0]["model"]),
        (&json!("org/words"), &json!("org/words"))
    );
    assert_eq!(api.get("/api/version").await.json()["version"], env!("CARGO_PKG_VERSION"));
}
