//! The OpenAI API as a plain HTTP client sees it.

use serde_json::{Value, json};

use super::{Running, mock_service::WORDS, start};
use nervure_api::QueryTarget;
use nervure_primitives::Netuid;
use nervure_protocol::Unset;

/// The events of a stream.
async fn stream(api: &Running, path: &str, mut body: Value) -> Vec<String> {
    body["stream"] = json!(true);
    let reply = api.post(path, &body).await;
    assert_eq!((reply.status, reply.header("content-type")), (200, "text/event-stream"), "{}", reply.text);
    let data = |event: &str| event.strip_prefix("data: ").unwrap_or_else(|| panic!("{event}")).to_owned();
    reply.text.trim_end().split("\n\n").map(data).collect()
}

fn chat(model: &str) -> Value {
    json!({ "model": model, "messages": [{ "role": "user", "content": "Hi" }] })
}

#[tokio::test]
async fn answers_a_chat() {
    let api = start(|_| ()).await;
    let reply = api.post("/v1/chat/completions", &chat("words")).await;
    let body = reply.json();
    assert_eq!(body["object"], "chat.completion");
    assert_eq!(body["choices"][0]["message"]["content"], WORDS.concat());
    assert_eq!(body["choices"][0]["finish_reason"], "stop");
    assert_eq!(body["usage"], json!({ "prompt_tokens": 5, "completion_tokens": 3, "total_tokens": 8 }));
    assert_eq!(body["model"], "words");
    assert!(body["id"].as_str().unwrap().starts_with("chatcmpl-"));
    assert!(reply.header("x-nervure-expert").ends_with(r"/w\u{f6}rds"), "{:?}", reply.headers);
    let route: Value = serde_json::from_str(reply.header("x-nervure-route")).unwrap();
    let counts = json!({ "strategy": "best", "policy": "balanced", "block": 7, "candidates": 4, "filtered": 1, "tried": 1 });
    assert_eq!(route, counts);
    assert_eq!(reply.header("link"), "</checkpoints/7>; rel=\"describedby\"; title=\"certificate\"");
    assert_eq!(api.service.last().target, QueryTarget::Named("words".into()));
}

#[tokio::test]
async fn serves_a_trace_for_explain() {
    let api = start(|_| ()).await;
    let mut body = chat("words");
    body["nervure"] = json!({ "explain": true });
    let reply = api.post("/v1/chat/completions", &body).await;
    let links: Vec<&str> = reply.headers.get_all("link").iter().map(|link| link.to_str().unwrap()).collect();
    let path = links.iter().find(|link| link.contains("title=\"trace\"")).unwrap();
    let path = path.strip_prefix('<').unwrap().split('>').next().unwrap();
    let trace = api.get(path).await.json();
    assert_eq!(trace["route"]["detail"], json!({ "choices": [] }));
    assert_eq!(
        (&trace["checkpoint"], &trace["expert"]["model"]),
        (&json!("/checkpoints/7"), &json!("words"))
    );
    assert!(api.service.last().receipt, "what the experts signed belongs to it");
    let other = api.get("/traces/00").await;
    assert!(other.error(404, "unknown_url").contains("no trace 00"));
}

#[tokio::test]
async fn bounds_traces() {
    let api = start(|_| ()).await;
    let body = json!({ "model": "words", "input": ["Hi"], "nervure": { "explain": true } });
    let mut paths = Vec::new();
    for _ in 0..260 {
        let reply = api.post("/v1/embeddings", &body).await;
        let links: Vec<_> = reply.headers.get_all("link").iter().map(|link| link.to_str().unwrap()).collect();
        let path = links.iter().find_map(|link| link.strip_prefix("</traces/")).unwrap();
        paths.push(format!("/traces/{}", path.split('>').next().unwrap()));
    }
    assert_eq!(api.get(&paths[3]).await.status, 404, "the oldest make room");
    assert_eq!(api.get(&paths[4]).await.status, 200);
    assert_eq!(api.get(paths.last().unwrap()).await.status, 200);
}

#[tokio::test]
async fn streams_a_chat() {
    let api = start(|_| ()).await;
    let events = stream(&api, "/v1/chat/completions", chat("words")).await;
    assert_eq!(events.last().unwrap(), "[DONE]");
    let chunks: Vec<Value> =
        events[..events.len() - 1].iter().map(|e| serde_json::from_str(e).unwrap()).collect();
    assert_eq!(chunks[0]["choices"][0]["delta"]["role"], "assistant");
    let text: String = chunks.iter().filter_map(|c| c["choices"][0]["delta"]["content"].as_str()).collect();
    assert_eq!(text, WORDS.concat());
    assert_eq!(chunks.last().unwrap()["choices"][0]["finish_reason"], "stop");
    assert!(chunks.iter().all(|c| c["object"] == "chat.completion.chunk" && c["id"] == chunks[0]["id"]));
    assert!(chunks.iter().all(|c| c.get("usage").is_none()));
}

#[tokio::test]
async fn streams_a_completion_with_usage() {
    let api = start(|_| ()).await;
    let body = json!({ "model": "words", "prompt": ["Hi"], "stream_options": { "include_usage": true } });
    let events = stream(&api, "/v1/completions", body).await;
    let chunks: Vec<Value> =
        events[..events.len() - 1].iter().map(|e| serde_json::from_str(e).unwrap()).collect();
    let (usage, rest) = chunks.split_last().unwrap();
    assert_eq!((&usage["usage"]["total_tokens"], &usage["choices"]), (&json!(8), &json!([])));
    assert!(rest.iter().all(|c| c["usage"].is_null() && c.get("usage").is_some()));
    let text: String = rest.iter().map(|c| c["choices"][0]["text"].as_str().unwrap()).collect();
    assert_eq!(text, WORDS.concat());
}

#[tokio::test]
async fn ends_a_failed_stream_with_an_error_and_without_done() {
    let api = start(|_| ()).await;
    for model in ["fails", "cut"] {
        let events = stream(&api, "/v1/chat/completions", chat(model)).await;
        let last: Value = serde_json::from_str(events.last().unwrap()).unwrap();
        assert_eq!(last["error"]["code"], "interrupted");
        assert!(!events.iter().any(|event| event == "[DONE]"));
        let whole = api.post("/v1/chat/completions", &chat(model)).await;
        whole.error(502, "interrupted");
    }
}

#[tokio::test]
async fn maps_errors_to_status_and_form() {
    let api = start(|_| ()).await;
    for (model, status, code) in [
        ("unknown", 404, "model_not_found"),
        ("dear", 402, "over_budget"),
        ("late", 504, "deadline_exceeded"),
        ("long", 400, "context_length_exceeded"),
        ("stopping", 503, "unavailable"),
        ("broken", 502, "all_experts_failed"),
    ] {
        let mut body = chat(model);
        body["stream"] = json!(true);
        api.post("/v1/chat/completions", &body).await.error(status, code);
    }
    let busy = api.post("/v1/completions", &json!({ "model": "busy", "prompt": "x" })).await;
    busy.error(429, "busy");
    assert_eq!(
        (busy.header("retry-after"), busy.json()["error"]["type"].as_str()),
        ("2", Some("rate_limit_error"))
    );
}

#[tokio::test]
async fn names_the_invalid_field() {
    let api = start(|_| ()).await;
    let message = |message| json!({ "model": "words", "messages": [message] });
    let many = json!({ "role": "user", "content": "x" });
    for (body, param) in [
        (json!({ "model": "words" }), "messages"),
        (json!({ "model": "words", "messages": vec![many.clone(); 257] }), "messages"),
        (
            json!({ "model": "words", "messages": [{ "role": "user", "content": "x".repeat(300_000) }] }),
            "messages",
        ),
        (json!({ "model": "words", "messages": [many], "max_tokens": u32::MAX }), "max_tokens"),
        (json!({ "messages": [] }), "body"),
        (json!({ "model": "", "messages": [many] }), "model"),
        (json!({ "model": "x".repeat(257), "messages": [many] }), "model"),
        (json!({ "model": "words", "messages": [{ "content": "x" }] }), "messages[0]"),
        (message(json!({ "role": "function", "content": "x" })), "messages[0].role"),
        (message(json!({ "role": "user" })), "messages[0].content"),
        (json!({ "model": "words", "messages": [many], "max_tokens": -1 }), "max_tokens"),
        (json!({ "model": "words", "messages": [many], "stop": 7 }), "stop"),
        (json!({ "model": "words", "messages": [many], "stream_options": {} }), "stream_options"),
        (json!({ "model": "words", "messages": [many], "nervure": { "strategy": "x" } }), "nervure.strategy"),
    ] {
        let reply = api.post("/v1/chat/completions", &body).await;
        reply.error(400, "invalid_request");
        assert_eq!(reply.json()["error"]["param"], param, "{}", reply.text);
    }
    let reply = api.post("/v1/completions", &json!({ "model": "words", "prompt": [1, 2] })).await;
    assert!(reply.error(400, "invalid_request").contains("tokens"));
    let reply = api.post("/v1/completions", &json!({ "model": "words", "prompt": "x", "n": 2 })).await;
    reply.error(400, "unsupported_parameter");
    assert_eq!(reply.json()["error"]["param"], "n");
}

#[tokio::test]
async fn passes_on_the_fields_that_it_does_not_know() {
    let api = start(|_| ()).await;
    let mut body = chat("words");
    body["response_format"] = json!({ "type": "json_object" });
    body["temperature"] = json!(0.5);
    assert_eq!(api.post("/v1/chat/completions", &body).await.status, 200);
    let request = api.service.last().request;
    let sampling = request.sampling().unwrap();
    assert_eq!(
        Value::Object(sampling.extra.fields()),
        json!({ "response_format": { "type": "json_object" } })
    );
    assert_eq!(sampling.unset, Unset { max_tokens: true, top_p: true, temperature: false });
}

#[tokio::test]
async fn many_texts_go_to_one_model_in_parts() {
    let api = start(|_| ()).await;
    let texts: Vec<String> = (0..300usize).map(|number| "x".repeat(number % 7 + 1)).collect();
    let reply = api.post("/v1/embeddings", &json!({ "model": "words", "input": texts })).await.json();
    for (number, one) in reply["data"].as_array().unwrap().iter().enumerate() {
        assert_eq!((&one["index"], &one["embedding"][0]), (&json!(number), &json!((number % 7 + 1) as f64)));
    }
    assert_eq!((reply["data"].as_array().unwrap().len(), &reply["usage"]["total_tokens"]), (300, &json!(15)));
    assert_eq!(api.service.last().target, QueryTarget::Model("words".into()), "that of the first part");
}

#[tokio::test]
async fn encodes_embeddings_as_numbers_and_base64() {
    let api = start(|_| ()).await;
    let mut body = json!({ "model": "words", "input": ["a", "bcd"] });
    let reply = api.post("/v1/embeddings", &body).await.json();
    assert_eq!(
        (&reply["data"][0]["embedding"], &reply["data"][1]["embedding"]),
        (&json!([1.0, 0.5]), &json!([3.0, 0.5]))
    );
    assert_eq!((&reply["data"][1]["index"], &reply["usage"]["total_tokens"]), (&json!(1), &json!(5)));
    body["encoding_format"] = Value::Null;
    assert_eq!(api.post("/v1/embeddings", &body).await.json()["data"], reply["data"]);
    body["encoding_format"] = json!("base64");
    assert_eq!(api.post("/v1/embeddings", &body).await.json()["data"][0]["embedding"], "AACAPwAAAD8=");
    body["dimensions"] = json!(3);
    api.post("/v1/embeddings", &body).await.error(400, "unsupported_parameter");
    api.post("/v1/embeddings", &json!({ "model": "words", "input": [] })).await.error(400, "invalid_request");
    for model in ["disordered", "nan", "text-only"] {
        api.post("/v1/embeddings", &json!({ "model": model, "input": "a" })).await.error(502, "interrupted");
    }
}

#[tokio::test]
async fn lists_models_and_capabilities_once() {
    let api = start(|_| ()).await;
    let list = api.get("/v1/models").await.json();
    let entry =
        |m: &Value| (m["id"].as_str().unwrap().to_owned(), m["nervure"]["kind"].as_str().unwrap().to_owned());
    let entries: Vec<_> = list["data"].as_array().unwrap().iter().map(entry).collect();
    let entries: Vec<_> = entries.iter().map(|(id, kind)| (id.as_str(), kind.as_str())).collect();
    assert_eq!(
        entries,
        [
            ("org/words", "model"),
            ("text", "model"),
            ("text.generate", "capability"),
            ("text.generate.words", "capability")
        ]
    );
    assert_eq!(api.get("/v1/models/org/words").await.json()["nervure"]["experts"], 2);
    api.get("/v1/models/nothing").await.error(404, "model_not_found");
}

#[tokio::test]
async fn prefers_headers_over_body_terms() {
    let api = start(|_| ()).await;
    let mut body = chat("words");
    body["nervure"] = json!({ "strategy": "race:3", "where": "price <= 5" });
    let request =
        api.http.post(api.url("/v1/chat/completions")).json(&body).header("x-nervure-strategy", "best");
    assert_eq!(request.send().await.unwrap().status(), 200);
    let asked = api.service.last();
    assert_eq!((asked.strategy.width(), asked.filter.as_deref()), (1, Some("price <= 5")));
    let request =
        api.http.post(api.url("/v1/chat/completions")).json(&body).header("x-nervure-deadline-ms", "soon");
    assert_eq!(request.send().await.unwrap().status(), 400);
}

#[tokio::test]
async fn a_question_names_its_subnets_or_gets_those_that_the_operator_trusts() {
    let api = start(|config| config.trusted_subnets = vec![Netuid(1)]).await;
    let mut body = chat("words");
    assert_eq!(api.post("/v1/chat/completions", &body).await.status, 200);
    assert_eq!(api.service.last().subnets, [Netuid(1)]);
    body["nervure"] = json!({ "subnets": [18, 21] });
    assert_eq!(api.post("/v1/chat/completions", &body).await.status, 200);
    assert_eq!(api.service.last().subnets, [Netuid(18), Netuid(21)]);
    let with = |text: &'static str| {
        api.http.post(api.url("/v1/chat/completions")).json(&body).header("x-nervure-subnets", text).send()
    };
    assert_eq!(with("22, 3").await.unwrap().status(), 200);
    assert_eq!(api.service.last().subnets, [Netuid(22), Netuid(3)]);
    assert_eq!(with("mine").await.unwrap().status(), 400);
    for out_of_bounds in [json!([]), json!(vec![1; 65])] {
        body["nervure"] = json!({ "subnets": out_of_bounds });
        api.post("/v1/chat/completions", &body).await.error(400, "invalid_request");
    }
}

#[tokio::test]
async fn a_node_that_is_no_gateway_says_where_one_is_to_be_had() {
    let api = start(|config| config.openai = false).await;
    let message = api.get("/v1/models").await.error(404, "unknown_url");
    assert!(message.contains("--role gateway") && !message.contains("POST /v1/"), "{message}");
}
