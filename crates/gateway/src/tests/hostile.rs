//! Hostile and broken clients: each is refused or disconnected, and all resources are released.

use std::time::Duration;

use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use super::{Running, TEST_TIMEOUT, start};
use crate::{Gateway, GatewayConfig, GatewayError};

/// Short enough to wait for, in the tests of deadlines.
const ABORT_DELAY: Duration = Duration::from_millis(200);

/// Sends bytes on a connection of its own and reads until the server closes it.
async fn raw(api: &Running, request: &str) -> String {
    let mut socket = TcpStream::connect(api.addr).await.unwrap();
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut reply = Vec::new();
    // A reset after the reply is a close as well.
    let _ = timeout(TEST_TIMEOUT, socket.read_to_end(&mut reply))
        .await
        .expect("the server kept the connection open");
    String::from_utf8_lossy(&reply).into_owned()
}

fn chat(model: &str) -> serde_json::Value {
    json!({ "model": model, "messages": [{ "role": "user", "content": "Hi" }], "stream": true })
}

#[tokio::test]
async fn frees_the_expert_of_a_client_that_leaves() {
    let api = start(|_| ()).await;
    for path in ["/v1/chat/completions", "/ask"] {
        let ask = json!({ "target": { "model": "silent" }, "request": { "embed": { "inputs": ["a"] } } });
        let body = if path == "/ask" { ask } else { chat("silent") };
        let mut response = api.send(path, &body).await;
        response.chunk().await.unwrap().expect("the first piece came");
        assert_eq!(api.service.freed_count(), 0);
        drop(response);
        api.service.freed().await;
    }
}

#[tokio::test]
async fn cancels_the_query_of_a_client_that_leaves_before_the_answer() {
    let api = start(|_| ()).await;
    let body = chat("never");
    let request = api.send("/v1/chat/completions", &body);
    assert!(timeout(ABORT_DELAY, request).await.is_err());
    api.service.freed().await;
}

#[tokio::test]
async fn disconnects_a_client_that_stops_reading() {
    let api = start(|config| {
        config.limits.write_timeout = ABORT_DELAY;
        config.limits.max_answer = usize::MAX.try_into().unwrap();
    })
    .await;
    let body = chat("flood").to_string();
    let mut socket = TcpStream::connect(api.addr).await.unwrap();
    let head = "POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n";
    socket.write_all(format!("{head}content-length: {}\r\n\r\n{body}", body.len()).as_bytes()).await.unwrap();
    api.service.freed().await;
}

#[tokio::test]
async fn cuts_off_an_endless_answer() {
    let api = start(|config| config.limits.max_answer = 100_000.try_into().unwrap()).await;
    let text = api.post("/v1/chat/completions", &chat("flood")).await.text;
    assert!(text.contains("more than this node accepts") && !text.contains("[DONE]"));
    assert!(text.len() < 200_000);
    api.service.freed().await;
}

#[tokio::test]
async fn enforces_a_deadline_that_the_node_ignores() {
    let api = start(|_| ()).await;
    let mut body = chat("never");
    body["nervure"] = json!({ "deadline_ms": 50 });
    api.post("/v1/chat/completions", &body).await.error(504, "deadline_exceeded");
    body["model"] = json!("silent");
    assert!(api.post("/v1/chat/completions", &body).await.text.contains("deadline_exceeded"));
    api.service.freed().await;
}

#[tokio::test]
async fn rejects_queries_that_found_no_place_in_time_and_returns_places() {
    let api = start(|config| {
        config.limits.max_queries = 1.try_into().unwrap();
        config.limits.queue_timeout = ABORT_DELAY;
    })
    .await;
    let first = api.send("/v1/chat/completions", &chat("silent")).await;
    let refused = api.post("/v1/chat/completions", &chat("words")).await;
    refused.error(429, "too_many_requests");
    assert_eq!(refused.header("retry-after"), "1");
    assert_eq!(api.get("/healthz").await.status, 200, "the node itself can still be asked how it is");
    drop(first);
    api.service.freed().await;
    // The place and the expert's stream are dropped together.
    assert_eq!(api.post("/v1/chat/completions", &chat("words")).await.status, 200);
}

#[tokio::test]
async fn a_query_waits_for_a_place_instead_of_being_rejected() {
    let api = start(|config| config.limits.max_queries = 1.try_into().unwrap()).await;
    let first = api.send("/v1/chat/completions", &chat("silent")).await;
    let leave = async {
        api.waiting(2).await;
        drop(first);
    };
    let body = chat("words");
    let (second, ()) = tokio::join!(api.post("/v1/chat/completions", &body), leave);
    assert_eq!(second.status, 200);
}

/// Whether a client with key number `number` is answered, while that with the first key holds the one place, and eight of
/// its questions wait; it leaves the place then.
async fn answered_beside_a_greedy_client(number: usize) -> bool {
    let keys = ["key-of-the-greedy-one", "key-of-another-client"];
    let api = start(|config| {
        config.limits.max_queries = 1.try_into().unwrap();
        config.limits.queue_timeout = TEST_TIMEOUT / 2;
        config.api_keys = keys.map(|key| crate::ApiKey::from_secret(key).unwrap()).to_vec();
    })
    .await;
    let send = |key: usize, model: &str| {
        api.http.post(api.url("/v1/chat/completions")).bearer_auth(keys[key]).json(&chat(model)).send()
    };
    let held = send(0, "silent").await.unwrap();
    let mut greedy = Vec::new();
    for _ in 0..8 {
        greedy.push(tokio::spawn(send(0, "silent")));
    }
    api.waiting(9).await;
    let other = tokio::spawn(send(number, "words"));
    api.waiting(10).await;
    drop(held);
    // The next one keeps the place, unless its answer ends: that of the other does.
    let answered = timeout(ABORT_DELAY * 5, other).await;
    greedy.iter().for_each(tokio::task::JoinHandle::abort);
    answered.is_ok_and(|response| response.unwrap().unwrap().status() == 200)
}

#[tokio::test]
async fn a_key_with_many_questions_does_not_starve_another() {
    assert!(answered_beside_a_greedy_client(1).await);
    assert!(!answered_beside_a_greedy_client(0).await, "the variant in which both have one key");
}

#[tokio::test]
async fn slow_bodies_hold_no_place_and_little_memory() {
    let api = start(|config| {
        config.limits.max_queries = 1.try_into().unwrap();
        config.limits.max_body_memory = (8 * 1024).try_into().unwrap();
    })
    .await;
    let head = "POST /ask HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 900000\r\n\r\n";
    let mut slow = Vec::new();
    for _ in 0..3 {
        let mut socket = TcpStream::connect(api.addr).await.unwrap();
        socket.write_all(head.as_bytes()).await.unwrap();
        slow.push(socket);
    }
    assert_eq!(api.post("/v1/chat/completions", &chat("words")).await.status, 200);
    // What was announced takes no memory. What arrives does.
    slow[0].write_all(&[b' '; 7 * 1024]).await.unwrap();
    let rest = " ".repeat(6 * 1024);
    let refused = raw(&api, &format!("{head}{rest}")).await;
    assert!(refused.starts_with("HTTP/1.1 429"), "{refused}");
}

#[tokio::test]
async fn rejects_large_bodies_announced_or_not() {
    let api = start(|config| config.limits.max_body = 1000.try_into().unwrap()).await;
    api.post("/ask", &json!("x".repeat(2000))).await.error(413, "body_too_large");
    let chunks = futures::stream::iter((0..20).map(|_| Ok::<_, std::io::Error>("x".repeat(100))));
    let request = api.http.post(api.url("/ask")).header("content-type", "application/json");
    let response = request.body(reqwest::Body::wrap_stream(chunks)).send().await.unwrap();
    assert_eq!(response.status(), 413);
    let lie = "POST /ask HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 99999999999\r\n\r\n";
    assert!(raw(&api, lie).await.starts_with("HTTP/1.1 413"));
}

#[tokio::test]
async fn rejects_large_heads() {
    let api = start(|_| ()).await;
    let large = format!("GET /status HTTP/1.1\r\nhost: localhost\r\nx: {}\r\n\r\n", "x".repeat(100_000));
    assert!(raw(&api, &large).await.starts_with("HTTP/1.1 431"));
    for (length, status) in [(40_000, "431"), (33_000, "431"), (30_000, "200")] {
        let close = "connection: close\r\n";
        let head =
            format!("GET /status HTTP/1.1\r\nhost: localhost\r\n{close}x: {}\r\n\r\n", "x".repeat(length));
        assert!(raw(&api, &head).await.starts_with(&format!("HTTP/1.1 {status}")), "{length}");
    }
    let many = format!("GET /status HTTP/1.1\r\nhost: localhost\r\n{}\r\n", "x: y\r\n".repeat(100));
    assert!(raw(&api, &many).await.starts_with("HTTP/1.1 431"));
    assert!(raw(&api, "\u{16}\u{3}\u{1} this is not HTTP\r\n\r\n").await.starts_with("HTTP/1.1 400"));
}

#[tokio::test]
async fn disconnects_stalled_clients() {
    let api = start(|config| {
        config.limits.header_timeout = ABORT_DELAY;
        config.limits.body_timeout = ABORT_DELAY;
    })
    .await;
    assert_eq!(raw(&api, "").await, "", "a connection that says nothing");
    let half = raw(&api, "GET /status HTTP/1.1\r\nhost: loc").await;
    assert!(half.is_empty() || half.starts_with("HTTP/1.1 408"), "{half}");
    let idle = raw(&api, "GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n").await;
    assert!(idle.starts_with("HTTP/1.1 200"), "answered, then closed for idling: {idle}");
    let head = "POST /ask HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 10\r\n\r\n";
    assert!(raw(&api, &format!("{head}{{")).await.starts_with("HTTP/1.1 408"));
}

#[tokio::test]
async fn operators_are_served_when_clients_hold_all_connections() {
    let api = start(|config| config.limits.max_connections = 2.try_into().unwrap()).await;
    let mut idlers = Vec::new();
    for _ in 0..2 {
        let mut idler = TcpStream::connect(api.addr).await.unwrap();
        idler.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
        // Its answer shows that it was accepted.
        idler.read_exact(&mut [0; 12]).await.unwrap();
        idlers.push(idler);
    }
    for path in ["/healthz", "/metrics", "/status", "/peers"] {
        assert_eq!(api.get(path).await.status, 200, "{path}");
    }
    let refused = api.post("/v1/chat/completions", &chat("words")).await;
    refused.error(503, "unavailable");
    assert_eq!(refused.header("retry-after"), "1");
    drop(idlers);
    for _ in 0..100 {
        if api.post("/v1/chat/completions", &chat("words")).await.status == 200 {
            return;
        }
    }
    panic!("the connections were not given back");
}

#[tokio::test]
async fn a_question_that_went_through_many_servers_is_refused() {
    let api = start(|_| ()).await;
    let passed_on = async |hops: &str| {
        let request = api.http.post(api.url("/v1/chat/completions")).header("x-nervure-hops", hops);
        super::Reply::of(request.json(&chat("words")).send().await.unwrap()).await
    };
    assert_eq!(passed_on("4").await.status, 200);
    assert_eq!(api.service.last().hops, 4);
    assert_eq!(api.post("/v1/chat/completions", &chat("words")).await.status, 200);
    assert_eq!(api.service.last().hops, 0);
    for many in ["5", "255", "256", "99999999999"] {
        passed_on(many).await.error(508, "too_many_hops");
    }
    passed_on("-1").await.error(400, "invalid_request");
}

#[tokio::test]
async fn no_response_is_taken_for_a_page() {
    let api = start(|_| ()).await;
    for path in ["/healthz", "/nowhere"] {
        let response = api.http.get(api.url(path)).send().await.unwrap();
        assert_eq!(response.headers()["x-content-type-options"], "nosniff", "{path}");
    }
}

#[tokio::test]
async fn queues_connections_beyond_the_cap() {
    let api = start(|config| {
        config.limits.max_connections = 1.try_into().unwrap();
        config.limits.header_timeout = ABORT_DELAY;
    })
    .await;
    let idler = TcpStream::connect(api.addr).await.unwrap();
    assert_eq!(api.get("/healthz").await.status, 200, "served once the idler was cut");
    drop(idler);
}

#[tokio::test]
async fn rejects_invalid_json_with_its_position() {
    let api = start(|_| ()).await;
    let send = |kind: &'static str, body: &'static str| {
        let request = api.http.post(api.url("/v1/chat/completions")).header("content-type", kind).body(body);
        async { super::Reply::of(request.send().await.unwrap()).await }
    };
    send("text/plain", "{}").await.error(415, "unsupported_media_type");
    send("application/x-www-form-urlencoded", "{}").await.error(415, "unsupported_media_type");
    let message = send("application/json; charset=utf-8", "{\"model\": \"m\",\n oops}")
        .await
        .error(400, "invalid_request");
    assert!(message.contains("line 2 column 2"), "{message}");
    send("application/json", "").await.error(400, "invalid_request");
    send("application/json", "[[[[").await.error(400, "invalid_request");
}

#[tokio::test]
async fn names_the_list_of_endpoints_for_an_unknown_path() {
    let api = start(|_| ()).await;
    let message = api.get("/v2/x").await.error(404, "unknown_url");
    assert!(message.contains("/openapi.json") && message.len() < 100, "{message}");
    let reply = api.get("/v1/chat/completions").await;
    reply.error(405, "method_not_allowed");
    assert_eq!(reply.header("allow"), "POST");
}

#[tokio::test]
async fn rejects_web_pages_and_rebound_names() {
    let api = start(|_| ()).await;
    let with = |name: &'static str, value: &'static str| {
        let request = api.http.post(api.url("/ask")).header(name, value).json(&json!({}));
        async { super::Reply::of(request.send().await.unwrap()).await }
    };
    with("host", "evil.example").await.error(403, "wrong_host");
    with("origin", "https://evil.example").await.error(403, "wrong_origin");
    assert!(
        raw(&api, "GET http://evil.example/status HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
            .await
            .starts_with("HTTP/1.1 403")
    );
    assert!(raw(&api, "GET /status HTTP/1.0\r\n\r\n").await.starts_with("HTTP/1.0 403"));
}

#[tokio::test]
async fn reports_a_port_in_use_with_the_next_step() {
    let api = start(|_| ()).await;
    let config = GatewayConfig { bind: api.addr, ..GatewayConfig::loopback() };
    let error = Gateway::bind(config, api.service.clone()).await.err().unwrap();
    assert!(matches!(error, GatewayError::Bind { .. }));
    assert!(error.to_string().contains("--http-port"), "{error}");
}
