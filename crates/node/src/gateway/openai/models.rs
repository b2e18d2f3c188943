//! `GET /v1/models` and `/v1/models/{id}`: what `model` can name now, models first, then capabilities.

use axum::{
    Json,
    extract::{Path, State},
};
use serde::Serialize;

use crate::{
    gateway::{
        App,
        error::{ApiError, excerpt},
    },
    service::{Catalog, ServiceError},
};

/// An entry of the list.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Model {
    id: String,
    object: &'static str,
    /// Always 0: an expert record says when it was renewed, not when its model was made.
    created: u64,
    owned_by: &'static str,
    nervure: Extra,
}

/// What the OpenAI API has no field for.
#[derive(Debug, Clone, Serialize)]
struct Extra {
    /// `model` or `capability`.
    kind: &'static str,
    capability: String,
    experts: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    context: Option<u32>,
}

/// The list.
#[derive(Debug, Serialize)]
pub(super) struct List {
    object: &'static str,
    data: Vec<Model>,
}

/// `GET /v1/models`.
pub(super) async fn list(State(app): State<App>) -> Json<List> {
    Json(List { object: "list", data: entries(app.service.catalog().await) })
}

/// `GET /v1/models/{id}`; names of models may hold slashes.
pub(super) async fn one(State(app): State<App>, Path(id): Path<String>) -> Result<Json<Model>, ApiError> {
    let all = entries(app.service.catalog().await);
    match all.iter().find(|model| model.id == id) {
        Some(model) => Ok(Json(model.clone())),
        None => {
            let known = all.into_iter().map(|model| model.id).collect();
            Err(ServiceError::UnknownModel { model: excerpt(&id), known }.into())
        }
    }
}

/// Every name once. A name that is both means the model, as in a question.
fn entries(catalog: Catalog) -> Vec<Model> {
    let entry = |id, nervure| Model { id, object: "model", created: 0, owned_by: "nervure", nervure };
    let mut all: Vec<Model> = Vec::with_capacity(catalog.models.len() + catalog.capabilities.len());
    for model in catalog.models {
        let capability = model.capability.to_string();
        let extra = Extra { kind: "model", capability, experts: model.experts, context: Some(model.context) };
        all.push(entry(model.model, extra));
    }
    let models = all.len();
    for found in catalog.capabilities {
        let id = found.capability.to_string();
        if all[..models].iter().all(|model| model.id != id) {
            let extra =
                Extra { kind: "capability", capability: id.clone(), experts: found.experts, context: None };
            all.push(entry(id, extra));
        }
    }
    all
}
