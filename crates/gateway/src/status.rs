//! `GET /status`, `/peers`, `/peers/{node}/reach` and `/healthz`: the state of the node.

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use nervure_api::{HealthView, NodeStatus, PeerPage, PeerReachView};

use super::{App, error::ApiError, proofs::parse};

/// `GET /status`.
pub(super) async fn status(State(app): State<App>) -> Json<NodeStatus> {
    Json(app.service.status().await)
}

/// `GET /peers`.
pub(super) async fn peers(State(app): State<App>) -> Json<PeerPage> {
    Json(PeerPage { peers: app.service.peers().await })
}

/// `GET /peers/{node}/reach`.
pub(super) async fn peer_reach(
    State(app): State<App>,
    Path(node): Path<String>,
) -> Result<Json<PeerReachView>, ApiError> {
    Ok(Json(app.service.peer_reach(parse("node", &node)?).await))
}

/// 200 when the node can serve, 503 and the reason when not. Needs no key, so the reason is for this host only.
pub(super) async fn healthz(State(app): State<App>) -> (StatusCode, Json<HealthView>) {
    let open = !app.config.has_keys();
    match app.service.status().await.not_ready {
        None => (StatusCode::OK, Json(HealthView { ready: true, reason: None })),
        Some(reason) => {
            let reason = open.then_some(reason);
            (StatusCode::SERVICE_UNAVAILABLE, Json(HealthView { ready: false, reason }))
        }
    }
}
