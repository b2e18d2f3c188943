//! Stopping: at once when no answer is in progress, after the shutdown timeout otherwise.

use std::time::Duration;

use serde_json::json;
use tokio::time::timeout;

use super::{TEST_TIMEOUT, start};

#[tokio::test]
async fn idle_connections_do_not_hold_it_up() {
    let api = start(|config| {
        config.limits.shutdown_timeout = Duration::from_secs(3600);
        config.limits.header_timeout = Duration::from_secs(3600);
    })
    .await;
    assert_eq!(api.get("/healthz").await.status, 200);
    api.stop.cancel();
    timeout(TEST_TIMEOUT, api.task).await.expect("it waits for an idle connection").unwrap();
    assert!(api.http.get(format!("http://{}/healthz", api.addr)).send().await.is_err(), "it still listens");
}

#[tokio::test]
async fn cuts_off_an_answer_that_outlasts_the_shutdown_timeout() {
    let api = start(|config| config.limits.shutdown_timeout = Duration::from_millis(50)).await;
    let body = json!({ "model": "silent", "prompt": "x", "stream": true });
    let mut response = api.send("/v1/completions", &body).await;
    response.chunk().await.unwrap().expect("the first piece came");
    api.stop.cancel();
    let rest = timeout(TEST_TIMEOUT, response.text()).await.unwrap();
    assert!(rest.is_err(), "a cut stream lacks its last chunk: {rest:?}");
    api.service.freed().await;
    timeout(TEST_TIMEOUT, api.task).await.unwrap().unwrap();
}
