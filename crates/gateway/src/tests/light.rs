//! What strangers of the mesh may ask over HTTP.

use data_encoding::BASE64;
use serde_json::json;

use super::start;
use crate::ApiKey;

#[tokio::test]
async fn proofs_and_transactions_need_no_key_and_have_a_bound() {
    let api = start(|config| config.api_keys.push(ApiKey::parse("0123456789abcdef").unwrap())).await;
    for path in ["/light", "/light/transactions"] {
        let reply = api.post(path, &json!({ "request": BASE64.encode(b"asked") })).await;
        // The mock node answers with what it is asked.
        assert_eq!(reply.json()["response"], BASE64.encode(b"asked"), "{path}");
        let long = api.post(path, &json!({ "request": "A".repeat(16 * 1024 + 4) })).await;
        long.error(400, "invalid_request");
        api.post(path, &json!({ "request": "***" })).await.error(400, "invalid_request");
    }
    // What else the API has is closed to strangers.
    api.post("/transactions", &json!({ "envelope": "", "dry_run": true }))
        .await
        .error(401, "invalid_api_key");
}
