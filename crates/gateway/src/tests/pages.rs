//! Web pages, and the headers that every answer has.

use reqwest::Method;
use serde_json::json;

use super::{Reply, Running, start};
use crate::ApiKey;

const KEY: &str = "correct-horse-battery";

/// Sends a request with these headers.
async fn send(api: &Running, method: Method, headers: &[(&str, &str)]) -> Reply {
    let mut request = api.http.request(method, api.url("/v1/models"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    Reply::of(request.send().await.unwrap()).await
}

async fn keyed(origins: &'static [&'static str]) -> Running {
    start(|config| {
        config.api_keys.push(ApiKey::from_secret(KEY).unwrap());
        config.allow_origins = origins.iter().map(|origin| origin.parse().unwrap()).collect();
    })
    .await
}

#[tokio::test]
async fn a_page_of_an_allowed_origin_asks_without_a_key_and_reads_with_one() {
    let api = keyed(&["https://chat.example"]).await;
    let preflight = [
        ("origin", "https://chat.example"),
        ("access-control-request-method", "POST"),
        ("access-control-request-headers", "authorization,content-type,x-stainless-os"),
    ];
    let reply = send(&api, Method::OPTIONS, &preflight).await;
    assert_eq!(reply.status, 204, "{}", reply.text);
    assert_eq!(reply.header("access-control-allow-origin"), "https://chat.example");
    assert_eq!(reply.header("access-control-allow-headers"), "authorization,content-type,x-stainless-os");
    assert_eq!(reply.header("access-control-allow-methods"), "GET, POST");
    assert_eq!(reply.header("access-control-allow-credentials"), "");

    let reply = send(&api, Method::GET, &[preflight[0], ("x-api-key", KEY)]).await;
    assert_eq!((reply.status, reply.header("vary")), (200, "Origin"));
    assert_eq!(reply.header("access-control-allow-origin"), "https://chat.example");
    assert!(reply.header("access-control-expose-headers").contains("x-request-id"));
    let refused = send(&api, Method::GET, &preflight[..1]).await;
    refused.error(401, "invalid_api_key");
    assert_eq!(refused.header("access-control-allow-origin"), "https://chat.example", "it can read why");
}

#[tokio::test]
async fn a_page_of_another_origin_is_allowed_nothing() {
    // The second is the variant in which the operator allows its origin.
    for (origins, preflight_status) in
        [(&["https://chat.example"][..], 403), (&["https://evil.example"], 204)]
    {
        let api = keyed(origins).await;
        let page = ("origin", "https://evil.example");
        let preflight = send(&api, Method::OPTIONS, &[page, ("access-control-request-method", "POST")]).await;
        assert_eq!(preflight.status, preflight_status);
        let reply = send(&api, Method::GET, &[page, ("x-api-key", KEY)]).await;
        let allowed = preflight_status == 204;
        assert_eq!(reply.header("access-control-allow-origin") == page.1, allowed);
        assert_eq!(reply.header("vary"), "Origin", "with or without");
    }
}

#[tokio::test]
async fn a_preflight_without_keys_is_for_names_of_this_host() {
    let api = start(|config| config.allow_origins.push("http://localhost:3000".parse().unwrap())).await;
    let preflight = [("origin", "http://localhost:3000"), ("access-control-request-method", "POST")];
    assert_eq!(send(&api, Method::OPTIONS, &preflight).await.status, 204);
    let rebound = [&preflight[..], &[("host", "evil.example")]].concat();
    send(&api, Method::OPTIONS, &rebound).await.error(403, "wrong_host");
    assert_eq!(send(&api, Method::OPTIONS, &[]).await.status, 405, "no preflight");
}

#[tokio::test]
async fn every_answer_has_a_name_and_a_clients_own_if_it_is_short_and_printable() {
    let api = start(|_| ()).await;
    let of = async |id: &str| {
        send(&api, Method::GET, &[("x-request-id", id)]).await.header("x-request-id").to_owned()
    };
    assert_eq!(of("my-request.7").await, "my-request.7");
    for id in ["", "two words", &"x".repeat(129)] {
        assert!(of(id).await.starts_with("req_"), "{id}");
    }
    let (one, two) = (api.get("/nowhere").await, api.post("/ask", &json!({})).await);
    assert!(one.header("x-request-id").starts_with("req_") && two.header("x-request-id").starts_with("req_"));
    assert_ne!(one.header("x-request-id"), two.header("x-request-id"));
}
