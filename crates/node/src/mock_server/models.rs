//! `GET /v1/models` and `/v1/models/{id}`: the models of the mock model server.

use axum::{Json, extract::Path};
use nervure_gateway::{ApiError, excerpt};
use nervure_mock_server::{LISTED_MODELS, MAX_PROMPT_BYTES, MODEL_OWNER, MockModel};
use serde_json::{Value, json};

/// `GET /v1/models`.
pub(super) async fn list() -> Json<Value> {
    Json(json!({ "object": "list", "data": LISTED_MODELS.map(entry) }))
}

/// `GET /v1/models/{id}`.
pub(super) async fn one(Path(id): Path<String>) -> Result<Json<Value>, ApiError> {
    let unknown = || ApiError::not_found(format!("the mock model server has no model '{}'", excerpt(&id)));
    MockModel::named(&id).map(|mock_server| Json(entry(mock_server))).ok_or_else(unknown)
}

fn entry(mock_server: MockModel) -> Value {
    json!({
        "id": mock_server.to_string(),
        "object": "model",
        "created": 0,
        "owned_by": MODEL_OWNER,
        // Tokens are words, and a word has at least one byte.
        "max_model_len": MAX_PROMPT_BYTES,
    })
}
