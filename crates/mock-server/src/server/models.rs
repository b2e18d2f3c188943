//! `GET /v1/models` and `/v1/models/{id}`.

use axum::{Json, extract::Path};
use nervure_gateway::ApiError;
use nervure_primitives::Excerpt;
use serde_json::{Value, json};

use crate::{LISTED_MODELS, MAX_PROMPT_BYTES, MODEL_OWNER, MockModel};

/// `GET /v1/models`.
pub(super) async fn list() -> Json<Value> {
    Json(json!({ "object": "list", "data": LISTED_MODELS.map(entry) }))
}

/// `GET /v1/models/{id}`.
pub(super) async fn one(Path(id): Path<String>) -> Result<Json<Value>, ApiError> {
    let unknown =
        || ApiError::not_found(format!("the mock model server has no model '{}'", Excerpt::new(&id)));
    MockModel::named(&id).map(|model| Json(entry(model))).ok_or_else(unknown)
}

fn entry(model: MockModel) -> Value {
    json!({
        "id": model.to_string(),
        "object": "model",
        "created": 0,
        "owned_by": MODEL_OWNER,
        // A token is a word and a word has at least one byte, so this bounds the tokens too.
        "max_model_len": MAX_PROMPT_BYTES,
    })
}
