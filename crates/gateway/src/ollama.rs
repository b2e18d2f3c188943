//! Ollama's API, for programs that speak it alone: `/api/chat`, `/api/generate`, `/api/embed`, `/api/tags`, `/api/version`.
//!
//! Requests are chats in another form ([`request`]), and answers are lines of JSON ([`reply`]). What a program says about
//! loading a model (`keep_alive`, `num_gpu`, ..) has no meaning here: experts load their own.

mod reply;
mod request;

use std::{ops::ControlFlow, time::Instant};

use axum::{
    Json,
    extract::State,
    http::HeaderMap,
    response::{IntoResponse, Response},
};
use nervure_api::ServiceError;
use nervure_protocol::{ExpertEvent, ExpertRequest};
use schemars::JsonSchema;
use serde::Serialize;

use super::{
    App,
    answer::{AnswerEvents, RunningAnswer},
    body::JsonBody,
    client::Client,
    error::ApiError,
    openai::{begin, chat, embeddings, models},
    streamed,
};
use reply::{Lines, Shape, now};

pub(crate) use reply::{EmbedReply, Line, TagList};
pub(crate) use request::{ChatBody, EmbedBody, GenerateRequest};

/// What a client reads from a stream.
pub(crate) const STREAM: &str =
    "A line for each piece of the answer; the last one has `done`, or `error` when the answer breaks off.";

/// The version of the API that is spoken.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Version {
    /// That of the node's program.
    version: &'static str,
}

/// `POST /api/chat`.
pub(crate) async fn chat(
    State(app): State<App>,
    client: Client,
    headers: HeaderMap,
    JsonBody(body): JsonBody<ChatBody>,
) -> Result<Response, ApiError> {
    let (began, streams) = (Instant::now(), body.stream());
    let mut chat = body.into_chat()?;
    let request = chat::request(&mut chat)?;
    let begun = begin(&app, client, &headers, chat, request).await?;
    answer(&app, begun, (Shape::Chat, streams, began)).await
}

/// `POST /api/generate`.
pub(crate) async fn generate(
    State(app): State<App>,
    client: Client,
    headers: HeaderMap,
    JsonBody(body): JsonBody<GenerateRequest>,
) -> Result<Response, ApiError> {
    let (began, streams) = (Instant::now(), body.stream());
    let (mut chat, prompt) = body.into_chat()?;
    let request = match prompt {
        Some(prompt) => ExpertRequest::Complete { prompt, sampling: chat.sampling()? },
        None => chat::request(&mut chat)?,
    };
    let begun = begin(&app, client, &headers, chat, request).await?;
    answer(&app, begun, (Shape::Text, streams, began)).await
}

/// `POST /api/embed`.
pub(crate) async fn embed(
    State(app): State<App>,
    client: Client,
    headers: HeaderMap,
    JsonBody(body): JsonBody<EmbedBody>,
) -> Result<Response, ApiError> {
    let began = Instant::now();
    let (model, input, nervure) = body.into_parts();
    let found = embeddings::vectors(&app, client, &headers, (model, input, nervure)).await?;
    let reply = EmbedReply::new(found.model, found.vectors, found.prompt_tokens, began);
    Ok((found.headers, Json(reply)).into_response())
}

/// `GET /api/tags`.
pub(crate) async fn tags(State(app): State<App>) -> Json<TagList> {
    Json(TagList::of(models::names(&app).await))
}

/// `GET /api/version`.
pub(crate) async fn version() -> Json<Version> {
    Json(Version { version: env!("CARGO_PKG_VERSION") })
}

/// The answer in its form: the kind of its text, whether it is streamed, and since when it was asked.
async fn answer(
    app: &App,
    begun: RunningAnswer,
    (shape, streams, began): (Shape, bool, Instant),
) -> Result<Response, ApiError> {
    let headers = begun.headers_and_trace(app);
    let mut lines = Lines::new(shape, begun.expert.model.clone(), began, now());
    if !streams {
        return Ok((headers, Json(complete(lines, begun.events).await?)).into_response());
    }
    let written = begun.events.written(move |item| next(&mut lines, item));
    Ok((headers, streamed::lines(written)).into_response())
}

/// Waits for the end of the answer.
async fn complete(mut lines: Lines, events: AnswerEvents) -> Result<Line, ServiceError> {
    let (usage, reason) = events.read(|event| lines.add(&event).map(drop)).await?;
    lines.whole(usage, reason)
}

/// The lines of a stream for the next event of the answer.
fn next(lines: &mut Lines, item: Result<ExpertEvent, ServiceError>) -> ControlFlow<Vec<Line>, Vec<Line>> {
    let added = item.and_then(|event| {
        let mut added = lines.add(&event)?;
        if let ExpertEvent::Done { usage, reason } = event {
            added.push(lines.last(usage, reason));
        }
        Ok(added)
    });
    match added {
        Ok(added) => ControlFlow::Continue(added),
        Err(error) => {
            let message = ApiError::from(error).into_body().error.message;
            ControlFlow::Break(vec![lines.broken(message)])
        }
    }
}
