//! The OpenAI API: every client of it is a client of the mesh.
//!
//! `model` is the name of a model or a capability. Features that the mesh does not have (several choices, audio) are
//! rejected by name rather than ignored, because an answer that silently lacks a requested feature is a wrong answer; so
//! does an expert's model server with what it does not have (tools, log probabilities, images). Fields that do not change
//! the answer (`user`, `store`, `metadata`) are ignored.
//! Which is which: `docs/openai.md`.

pub(super) mod chat;
pub(super) mod completions;
pub(super) mod document;
pub(super) mod embeddings;
mod fields;
pub(super) mod models;
mod reply;
mod request;
mod stream;

use std::time::{SystemTime, UNIX_EPOCH};

use axum::{
    Json,
    http::HeaderMap,
    response::{IntoResponse, Response},
};
use nervure_api::QueryTarget;
use nervure_protocol::ExpertRequest;

use super::{
    App,
    answer::{RunningAnswer, start},
    client::Client,
    error::ApiError,
    terms::{query, with_headers},
};
pub(super) use request::GenerateBody;

pub(super) use fields::add_up;

pub use reply::{ReplyBody, ReplyKind, TextReply};

/// Queries for text, and waits until an expert has begun to answer.
pub(super) async fn begin(
    app: &App,
    client: Client,
    headers: &HeaderMap,
    body: GenerateBody,
    request: ExpertRequest,
) -> Result<RunningAnswer, ApiError> {
    let terms = with_headers(body.nervure.unwrap_or_default(), headers)?;
    let query = query(terms, app, QueryTarget::Named(body.model), request, headers)?;
    start(app, client, query).await
}

/// Queries for text and answers in the requested form, as a stream or complete.
async fn generate(
    app: &App,
    client: Client,
    headers: &HeaderMap,
    body: GenerateBody,
    request: ExpertRequest,
) -> Result<Response, ApiError> {
    let kind =
        if matches!(request, ExpertRequest::Chat { .. }) { ReplyKind::Chat } else { ReplyKind::Completion };
    let (stream, include_usage) = (body.stream(), body.include_usage()?);
    let running = begin(app, client, headers, body, request).await?;
    let headers = running.headers_and_trace(app);
    let reply = TextReply::new(kind, running.expert.model.clone(), unix_seconds());
    if stream {
        return Ok((headers, stream::sse(reply, running.events, include_usage)).into_response());
    }
    let (answer, reason) = running.events.complete().await?;
    Ok((headers, Json(reply.complete(answer, reason))).into_response())
}

/// Seconds since 1970, for the field `created`.
pub fn unix_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
