//! `GET /v1/models` and `/v1/models/{id}`: the values of `model`, models first, then capabilities, then aliases.

use axum::{
    Json,
    extract::{Path, State},
};
use nervure_api::{Catalog, ServiceError};
use nervure_primitives::Excerpt;
use schemars::JsonSchema;
use serde::Serialize;

use crate::{App, error::ApiError, model_names::DEFAULT_NAME};

/// An entry of the list.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct Model {
    /// The value of `model` in a request.
    id: String,
    /// Always `model`.
    object: &'static str,
    /// Always 0: an expert record says when it was renewed, not when its model was made.
    created: u64,
    /// Always `nervure`.
    owned_by: &'static str,
    /// Fields that the OpenAI API does not have.
    nervure: ModelExtension,
}

/// Fields of an entry that the OpenAI API does not have.
#[derive(Debug, Clone, Serialize, JsonSchema)]
struct ModelExtension {
    /// `model`, `capability`, or `alias`: a name that the operator gave.
    kind: &'static str,
    /// The capability, or that of the model's experts.
    capability: String,
    /// How many experts serve it.
    experts: u32,
    /// The longest context of a model's experts, in tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    context: Option<u32>,
}

/// The list.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct ModelList {
    /// Always `list`.
    object: &'static str,
    /// Models first, then capabilities, then the operator's names.
    data: Vec<Model>,
}

/// `GET /v1/models`.
pub(crate) async fn list(State(app): State<App>) -> Json<ModelList> {
    Json(ModelList { object: "list", data: all(&app).await })
}

/// `GET /v1/models/{id}`; names of models may hold slashes.
pub(crate) async fn one(State(app): State<App>, Path(id): Path<String>) -> Result<Json<Model>, ApiError> {
    let all = all(&app).await;
    match all.iter().find(|model| model.id == id) {
        Some(model) => Ok(Json(model.clone())),
        None => {
            let known = all.into_iter().map(|model| model.id).collect();
            Err(ServiceError::UnknownModel { model: Excerpt::new(&id).to_string(), known }.into())
        }
    }
}

/// The names alone.
pub(crate) async fn names(app: &App) -> Vec<String> {
    all(app).await.into_iter().map(|model| model.id).collect()
}

/// Every name that a request may have as its model.
async fn all(app: &App) -> Vec<Model> {
    let mut all = entries(app.service.catalog().await);
    let names = &app.config.model_names;
    let default = names.default_model.as_ref().map(|meant| (DEFAULT_NAME, meant));
    let aliases = names.aliases.iter().map(|(name, meant)| (name.as_str(), meant));
    let known = all.len();
    for (name, meant) in aliases.chain(default) {
        // As in a query, an operator's name comes before the same name of a model or a capability.
        let Some(found) = all[..known].iter().find(|model| model.id == *meant) else { continue };
        let nervure = ModelExtension { kind: "alias", ..found.nervure.clone() };
        let alias = Model { id: name.to_owned(), nervure, ..found.clone() };
        match all.iter_mut().find(|model| model.id == name) {
            Some(same) => *same = alias,
            None => all.push(alias),
        }
    }
    all
}

/// Every name once. A name that is both means the model, as in a query.
fn entries(catalog: Catalog) -> Vec<Model> {
    let entry = |id, nervure| Model { id, object: "model", created: 0, owned_by: "nervure", nervure };
    let mut all: Vec<Model> = Vec::with_capacity(catalog.models.len() + catalog.capabilities.len());
    for model in catalog.models {
        let capability = model.capability.to_string();
        let extra = ModelExtension {
            kind: "model",
            capability,
            experts: model.experts,
            context: Some(model.context),
        };
        all.push(entry(model.model, extra));
    }
    let models = all.len();
    for found in catalog.capabilities {
        let id = found.capability.to_string();
        if all[..models].iter().all(|model| model.id != id) {
            let extra = ModelExtension {
                kind: "capability",
                capability: id.clone(),
                experts: found.experts,
                context: None,
            };
            all.push(entry(id, extra));
        }
    }
    all
}
