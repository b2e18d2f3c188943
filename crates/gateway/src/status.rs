//! `GET /status`, `/peers`, `/healthz` and `/version`: the state of the node.

use axum::{Json, extract::State, http::StatusCode};
use nervure_api::{HealthView, NodeStatus, PeerPage, VersionView};
use nervure_protocol::names;

use super::App;

/// `GET /status`.
pub(super) async fn status(State(app): State<App>) -> Json<NodeStatus> {
    Json(app.service.status().await)
}

/// `GET /peers`.
pub(super) async fn peers(State(app): State<App>) -> Json<PeerPage> {
    Json(PeerPage { peers: app.service.peers().await })
}

/// 200 when the node can serve, 503 and the reason when not. Needs no key, so the reason is for this host only.
pub(super) async fn healthz(State(app): State<App>) -> (StatusCode, Json<HealthView>) {
    let open = app.config.api_keys.is_empty();
    match app.service.status().await.not_ready {
        None => (StatusCode::OK, Json(HealthView { ready: true, reason: None })),
        Some(reason) => {
            let reason = open.then_some(reason);
            (StatusCode::SERVICE_UNAVAILABLE, Json(HealthView { ready: false, reason }))
        }
    }
}

/// `GET /version`.
pub(super) async fn version(State(app): State<App>) -> Json<VersionView> {
    let NodeStatus { mesh, version, .. } = app.service.status().await;
    Json(VersionView { name: "nervure".into(), version, protocol: names::mesh_version(&mesh) })
}
