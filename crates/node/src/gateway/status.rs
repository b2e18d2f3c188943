//! `GET /status`, `/peers` and `/healthz`: how the node is.

use axum::{Json, extract::State, http::StatusCode};
use nervure_api::{NodeStatus, PeerPage};
use serde_json::{Value, json};

use super::App;

/// Everything the node says about itself.
pub(super) async fn status(State(app): State<App>) -> Json<NodeStatus> {
    Json(app.service.status().await)
}

/// `{"peers": [..]}`.
pub(super) async fn peers(State(app): State<App>) -> Json<PeerPage> {
    Json(PeerPage { peers: app.service.peers().await })
}

/// 200 when the node can serve, 503 and the reason when not. Needs no key, so the reason is for this host only.
pub(super) async fn healthz(State(app): State<App>) -> (StatusCode, Json<Value>) {
    let open = app.config.api_keys.is_empty();
    match app.service.status().await.not_ready {
        None => (StatusCode::OK, Json(json!({ "ready": true }))),
        Some(reason) if open => {
            (StatusCode::SERVICE_UNAVAILABLE, Json(json!({ "ready": false, "reason": reason })))
        }
        Some(_) => (StatusCode::SERVICE_UNAVAILABLE, Json(json!({ "ready": false }))),
    }
}
