//! The endpoints of every node.

use serde_json::json;

use super::{mock_service::WORDS, start};
use crate::ApiKey;
use nervure_api::AskLine;
use nervure_api::{ExpertPage, NodeStatus, QueryTarget, Strategy};

#[tokio::test]
async fn serves_status_peers_and_health() {
    let api = start(|_| ()).await;
    let status: NodeStatus = serde_json::from_str(&api.get("/status").await.text).unwrap();
    assert_eq!((status.peers_connected, status.experts_known, status.role.as_str()), (12, 8, "gateway"));
    assert_eq!(api.get("/peers").await.json()["peers"][0]["direction"], "out");
    let peer = nervure_primitives::NodeId::from_bytes([9; 32]);
    let reach = api.get(&nervure_api::paths::peer_reach(&peer)).await.json();
    assert_eq!(
        (reach["peer"].as_str(), reach["own"]["road"].as_str()),
        (Some(peer.to_string().as_str()), Some("direct"))
    );
    assert_eq!(api.get("/peers/nonsense/reach").await.status, 400);
    assert_eq!(api.get("/healthz").await.status, 200);

    *api.service.not_ready.lock() = Some("no peer yet".into());
    let health = api.get("/healthz").await;
    assert_eq!((health.status, health.json()["reason"].as_str()), (503, Some("no peer yet")));
}

#[tokio::test]
async fn hides_the_reason_of_unreadiness_from_strangers() {
    let api = start(|config| config.api_keys.push(ApiKey::parse("0123456789abcdef").unwrap())).await;
    *api.service.not_ready.lock() = Some("secret".into());
    let health = api.get("/healthz").await;
    assert_eq!(health.status, 503);
    assert!(!health.text.contains("secret"));
    let refused = api.get("/status").await;
    refused.error(401, "invalid_api_key");
    assert_eq!(refused.header("www-authenticate"), "Bearer");
    let with_key = api.http.get(api.url("/status")).bearer_auth("0123456789abcdef").send().await.unwrap();
    assert_eq!(with_key.status(), 200);
}

#[tokio::test]
async fn pages_experts() {
    let api = start(|_| ()).await;
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = api
            .get(&format!("/experts?capability=text&where=price%20%3C%3D%205&limit=3&cursor={cursor}"))
            .await;
        let page: ExpertPage = serde_json::from_str(&page.text).unwrap();
        seen.extend(page.experts.into_iter().map(|expert| expert.model));
        match page.next {
            Some(next) => cursor = next,
            None => break,
        }
    }
    assert_eq!(seen, ["m0", "m1", "m2", "m3", "m4", "m5", "m6", "m7"]);
}

#[tokio::test]
async fn names_the_invalid_parameter_of_a_search() {
    let api = start(|_| ()).await;
    for (query, param) in [
        ("capability=Text", "capability"),
        ("netuid=x", "netuid"),
        ("limit=0", "limit"),
        ("limit=501", "limit"),
        ("colour=red", "query"),
    ] {
        let reply = api.get(&format!("/experts?{query}")).await;
        reply.error(400, "invalid_request");
        assert_eq!(reply.json()["error"]["param"], param);
    }
    let message = api.get("/experts?where=context%20%3E").await.error(400, "bad_filter");
    assert!(message.contains("column 10") && message.contains('^'), "{message}");
}

#[tokio::test]
async fn answers_ask_line_by_line() {
    let api = start(|_| ()).await;
    let body = json!({
        "target": { "model": "words" },
        "request": { "complete": { "prompt": "Hi", "sampling": { "max_tokens": 9, "temperature_milli": 0, "top_p_milli": 1000, "seed": null, "stop": [] } } },
        "terms": { "strategy": "race:3", "where": "price <= 5", "deadline_ms": 1234, "budget": "0" },
        "explain": true,
    });
    let reply = api.post("/ask", &body).await;
    assert_eq!((reply.status, reply.header("content-type")), (200, "application/x-ndjson"));
    let lines: Vec<AskLine> = reply.text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let AskLine::Route { route, .. } = &lines[0] else { panic!("{lines:?}") };
    assert!(route.detail.is_some());
    let text = lines
        .iter()
        .filter_map(|line| if let AskLine::Text { text } = line { Some(text.as_str()) } else { None });
    assert_eq!(text.collect::<Vec<_>>(), WORDS);
    assert!(matches!(lines.last(), Some(AskLine::Done { usage, .. }) if usage.completion_tokens == 3));

    let asked = api.service.last();
    assert_eq!(asked.target, QueryTarget::Model("words".into()));
    assert_eq!(asked.strategy.width(), 3);
    // What the query waited for a place is taken off.
    assert!(asked.deadline.as_millis() <= 1234 && asked.deadline.as_millis() > 1000, "{:?}", asked.deadline);
    assert_eq!(asked.filter.as_deref(), Some("price <= 5"));
    assert_ne!(asked.strategy, Strategy::Best);
}

#[tokio::test]
async fn ends_a_failed_answer_with_an_error_line() {
    let api = start(|_| ()).await;
    for model in ["fails", "cut"] {
        let body = json!({ "target": { "model": model }, "request": { "embed": { "inputs": ["a"] } } });
        let reply = api.post("/ask", &body).await;
        let last: AskLine = serde_json::from_str(reply.text.lines().last().unwrap()).unwrap();
        let AskLine::Error { error } = last else { panic!("{}", reply.text) };
        assert_eq!((error.code.as_deref(), error.exit_code), (Some("interrupted"), Some(6)));
        api.service.freed().await;
    }
}

#[tokio::test]
async fn explains_a_failed_query_with_the_next_step() {
    let api = start(|_| ()).await;
    let ask = |target| json!({ "target": target, "request": { "embed": { "inputs": ["a"] } } });
    let reply = api.post("/ask", &ask(json!({ "capability": "image.generate" }))).await;
    assert!(reply.error(404, "no_expert").contains("image.generate is known; known: text.generate"));
    assert_eq!(reply.json()["error"]["exit_code"], 3);
    assert!(reply.json()["error"]["hint"].as_str().unwrap().contains("nervure experts find"));

    let reply = api.post("/ask", &ask(json!({ "model": "broken" }))).await;
    reply.error(502, "all_experts_failed");
    assert_eq!(reply.json()["error"]["attempts"][1]["failure"], "refused");
}

#[tokio::test]
async fn bounds_terms() {
    let filter = |bytes: usize| format!("{:>bytes$}", "price <= 5");
    let api = start(|config| config.max_budget = "2".parse().unwrap()).await;
    let ask = |terms| json!({ "target": { "model": "words" }, "request": { "embed": { "inputs": ["a"] } }, "terms": terms });
    for (terms, param) in [
        (json!({ "budget": "2.1" }), "budget"),
        (json!({ "budget": "much" }), "budget"),
        (json!({ "deadline_ms": 0 }), "deadline_ms"),
        (json!({ "deadline_ms": 600_001 }), "deadline_ms"),
        (json!({ "strategy": "race:99" }), "terms.strategy"),
        (json!({ "where": filter(513) }), "where"),
        (json!({ "colour": "red" }), "terms.colour"),
    ] {
        let reply = api.post("/ask", &ask(terms)).await;
        reply.error(400, "invalid_request");
        assert_eq!(reply.json()["error"]["param"], param);
    }
    // What passes here is short enough for the filter's own bound.
    assert_eq!(api.post("/ask", &ask(json!({ "where": filter(512) }))).await.status, 200);
    assert!(filter(512).parse::<nervure_subnet::Filter>().is_ok());
    assert!(filter(513).parse::<nervure_subnet::Filter>().is_err());
    let search = |bytes| format!("/experts?where={}", filter(bytes).replace(' ', "%20"));
    assert_eq!(api.get(&search(512)).await.status, 200);
    api.get(&search(513)).await.error(400, "invalid_request");
    assert_eq!(api.post("/ask", &ask(json!({ "budget": "1.5" }))).await.status, 200);
    assert_eq!(api.service.last().budget.to_string(), "1.5");
}

#[tokio::test]
async fn counts_requests_and_queries_and_serves_the_metrics() {
    let api = start(|_| ()).await;
    api.get("/status").await;
    api.get("/no/such/1").await;
    api.get("/no/such/2").await;
    api.post("/ask", &json!({ "target": { "model": "words" }, "request": { "embed": { "inputs": ["a"] } } }))
        .await;
    let reply = api.get("/metrics").await;
    assert!(reply.header("content-type").starts_with("application/openmetrics-text"));
    for line in [
        "nervure_http_requests_total{route=\"/status\",status=\"200\"} 1",
        "nervure_http_requests_total{route=\"other\",status=\"404\"} 2",
        "nervure_http_errors_total{code=\"unknown_url\"} 2",
        "nervure_http_queries_in_progress 0",
        "nervure_http_response_seconds_count{route=\"/status\"} 1",
        "nervure_http_query_seconds_count 1",
    ] {
        assert!(reply.text.lines().any(|other| other == line), "{line} is missing in\n{}", reply.text);
    }
    assert_eq!(reply.text.matches("# EOF").count(), 1);
    assert!(reply.text.ends_with("# EOF\n"));
}

#[tokio::test]
async fn answers_are_counted_by_the_names_of_opentelemetry() {
    let api = start(|_| ()).await;
    let ask = |model: &str| json!({ "model": model, "messages": [{ "role": "user", "content": "Hi" }], "stream": true });
    assert_eq!(api.post("/v1/chat/completions", &ask("words")).await.status, 200);
    let broken = json!({ "deadline_ms": 50 });
    let mut body = ask("silent");
    body["nervure"] = broken;
    assert_eq!(api.post("/v1/chat/completions", &body).await.status, 200, "it breaks off after it has begun");
    let metrics = api.get("/metrics").await.text;
    let value = |start: &str| {
        let line = metrics.lines().find(|line| line.starts_with(start));
        line.unwrap_or_else(|| panic!("no {start} in {metrics}")).rsplit(' ').next().unwrap().to_owned()
    };
    let chat = "gen_ai_operation_name=\"chat\",gen_ai_response_model=";
    assert!(
        metrics.contains(&format!("nervure_gen_ai_server_request_duration_seconds_count{{{chat}")),
        "{metrics}"
    );
    assert!(metrics.contains("error_type=\"deadline_exceeded\""), "{metrics}");
    assert!(metrics.contains(&format!("nervure_gen_ai_server_time_to_first_token_seconds_count{{{chat}")));
    assert!(metrics.contains("gen_ai_token_type=\"output\""), "{metrics}");
    assert_eq!(value("nervure_http_answer_errors_total{code=\"deadline_exceeded\"}"), "1");
}
