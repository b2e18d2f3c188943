//! Anthropic's API: whole and as a stream, with tools.

use nervure_protocol::{ExpertRequest, Role};
use serde_json::{Value, json};

use super::{Running, mock_service::WORDS, start};

const PATH: &str = "/v1/messages";

fn body(model: &str) -> Value {
    let tools = json!([{ "name": "weather", "input_schema": { "type": "object" } }]);
    json!({
        "model": model, "max_tokens": 64, "system": "Be brief.", "tools": tools,
        "messages": [{ "role": "user", "content": "Hi" }],
    })
}

async fn stream(api: &Running, model: &str) -> Vec<Value> {
    let mut body = body(model);
    body["stream"] = json!(true);
    let reply = api.post(PATH, &body).await;
    assert_eq!((reply.status, reply.header("content-type")), (200, "text/event-stream"), "{}", reply.text);
    let event = |event: &str| {
        let (name, data) = event.split_once("\ndata: ").unwrap();
        let data: Value = serde_json::from_str(data).unwrap();
        assert_eq!(name.strip_prefix("event: "), data["type"].as_str());
        data
    };
    reply.text.trim_end().split("\n\n").map(event).collect()
}

#[tokio::test]
async fn answers_with_blocks() {
    let api = start(|_| ()).await;
    let reply = api.post(PATH, &body("words")).await.json();
    let text = json!({ "type": "text", "text": WORDS.concat(), "citations": null });
    assert_eq!((&reply["content"], &reply["stop_reason"]), (&json!([text]), &json!("end_turn")));
    assert_eq!((&reply["usage"]["input_tokens"], &reply["usage"]["output_tokens"]), (&json!(5), &json!(3)));
    let ExpertRequest::Chat { messages, sampling } = api.service.last().request else { panic!() };
    let seen: Vec<_> = messages.iter().map(|message| (message.role, message.content.as_str())).collect();
    assert_eq!(seen, [(Role::System, "Be brief."), (Role::User, "Hi")]);
    assert_eq!(sampling.max_tokens, 64);

    let reply = api.post(PATH, &body("tools")).await.json();
    let thought = json!({ "type": "thinking", "thinking": "Hm.", "signature": "" });
    let call = json!({ "type": "tool_use", "id": "a", "name": "weather", "input": { "city": "Bern" } });
    assert_eq!((&reply["content"], &reply["stop_reason"]), (&json!([thought, call]), &json!("tool_use")));
}

#[tokio::test]
async fn a_stream_has_the_same_blocks() {
    let api = start(|_| ()).await;
    for model in ["words", "tools"] {
        let whole = api.post(PATH, &body(model)).await.json();
        let events = stream(&api, model).await;
        let kinds: Vec<&str> = events.iter().map(|event| event["type"].as_str().unwrap()).collect();
        assert_eq!((kinds[0], kinds[kinds.len() - 1]), ("message_start", "message_stop"));
        let mut blocks: Vec<Value> = Vec::new();
        for event in &events {
            match event["type"].as_str().unwrap() {
                "content_block_start" => {
                    assert_eq!(event["index"], json!(blocks.len()));
                    blocks.push(event["content_block"].clone());
                }
                "content_block_delta" => {
                    let block = &mut blocks[event["index"].as_u64().unwrap() as usize];
                    let delta = event["delta"].as_object().unwrap();
                    let (name, piece) = delta.iter().find(|(name, _)| *name != "type").unwrap();
                    let name = if name == "partial_json" { "input" } else { name };
                    let before = block[name].as_str().unwrap_or_default();
                    block[name] = json!(format!("{before}{}", piece.as_str().unwrap()));
                }
                _ => {}
            }
        }
        for block in &mut blocks {
            if let Some(input) = block["input"].as_str() {
                block["input"] = serde_json::from_str(input).unwrap();
            }
        }
        assert_eq!(json!(blocks), whole["content"], "{model}");
        let last = &events[events.len() - 2];
        assert_eq!((&last["delta"]["stop_reason"], &last["usage"]), (&whole["stop_reason"], &whole["usage"]));
        let stops = kinds.iter().filter(|kind| **kind == "content_block_stop").count();
        assert_eq!(stops, blocks.len());
    }
}

#[tokio::test]
async fn one_that_breaks_off_ends_with_an_error() {
    let api = start(|_| ()).await;
    for model in ["fails", "cut"] {
        let events = stream(&api, model).await;
        let last = events.last().unwrap();
        assert_eq!((&last["type"], &last["error"]["code"]), (&json!("error"), &json!("interrupted")));
        api.post(PATH, &body(model)).await.error(502, "interrupted");
    }
}

#[tokio::test]
async fn counts_tokens_by_an_estimate_and_names_its_own_fields() {
    let api = start(|_| ()).await;
    let mut long = body("words");
    long.as_object_mut().unwrap().remove("max_tokens");
    long["messages"][0]["content"] = json!("x".repeat(4_000));
    let count = api.post("/v1/messages/count_tokens", &long).await.json()["input_tokens"].as_u64().unwrap();
    assert!((1_000..1_100).contains(&count), "{count}");
    for (change, param) in [
        (json!({ "max_tokens": 0 }), "max_tokens"),
        (json!({ "stop_sequences": ["a", "b", "c", "d", "e"] }), "stop_sequences"),
        (json!({ "messages": [] , "system": null }), "messages"),
        (json!({ "messages": [{ "role": "robot", "content": "x" }] }), "messages"),
    ] {
        let mut body = body("words");
        body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let reply = api.post(PATH, &body).await;
        reply.error(400, "invalid_request");
        assert_eq!(reply.json()["error"]["param"], param, "{}", reply.text);
    }
}
