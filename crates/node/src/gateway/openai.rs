//! The OpenAI API: every client of it is a client of the mesh.
//!
//! `model` is the name of a model or a capability. What the mesh cannot do (several choices, log probabilities, tools, images)
//! is refused by name rather than ignored, because an answer that silently lacks what was asked for is a wrong
//! answer; fields that do not change the answer (`user`, `store`, `metadata`) are ignored. Which is which: `docs/openai.md`.

mod chat;
mod completions;
mod embeddings;
mod models;
mod reply;
mod request;
mod stream;

use std::time::{SystemTime, UNIX_EPOCH};

use axum::{
    Json, Router,
    http::HeaderMap,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use nervure_api::QueryTarget;
use nervure_experts::ExpertRequest;

use super::{
    App,
    answer::{Slot, begin},
    error::ApiError,
    terms::{query, with_headers},
};
use request::GenerateBody;

pub(crate) use reply::{Form, Reply};

/// The endpoints.
pub(super) fn router() -> Router<App> {
    Router::new()
        .route("/v1/models", get(models::list))
        .route("/v1/models/{*id}", get(models::one))
        .route("/v1/chat/completions", post(chat::chat))
        .route("/v1/completions", post(completions::completions))
        .route("/v1/embeddings", post(embeddings::embeddings))
}

/// Asks for text and answers in the form wanted, as a stream or whole.
async fn generate(
    app: &App,
    slot: Slot,
    headers: &HeaderMap,
    body: GenerateBody,
    request: ExpertRequest,
) -> Result<Response, ApiError> {
    let form = if matches!(request, ExpertRequest::Chat { .. }) { Form::Chat } else { Form::Completion };
    let (stream, include_usage) = (body.stream(), body.include_usage()?);
    let terms = with_headers(body.nervure.unwrap_or_default(), headers)?;
    let begun = begin(app, slot, query(terms, app, QueryTarget::Named(body.model), request)?).await?;
    let headers = begun.headers_and_trace(app);
    let reply = Reply::new(form, begun.expert.model.clone(), unix_seconds());
    if stream {
        return Ok((headers, stream::sse(reply, begun.events, include_usage)).into_response());
    }
    let (whole, reason) = begun.events.whole().await?;
    Ok((headers, Json(reply.whole(whole, reason))).into_response())
}

/// Seconds since 1970, for the field `created`.
pub(crate) fn unix_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
