//! `POST /ask`: the endpoint of `nervure ask`. JSON in, one JSON object per line out.
//!
//! The first line is `route` (who answers and why; in full with `explain`), then `text`, `embedding` or
//! `distribution` as they come, `mixed` where several wrote one text, a `receipt` of each where they were wanted, last
//! `done` or `error`. A response without its last line was cut. What fails before an expert has begun to answer has an
//! HTTP status and the error body of every other endpoint instead.

use axum::{
    body::{Body, Bytes},
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use futures::{StreamExt, stream};
use nervure_api::{AskBody, AskLine, ServiceError};
use nervure_experts::ExpertEvent;

use super::{
    App,
    answer::{Slot, begin},
    body::JsonBody,
    error::ApiError,
    terms::query,
};

/// The line of an event.
fn line(item: Result<ExpertEvent, ServiceError>) -> AskLine {
    match item {
        Ok(ExpertEvent::Text(text)) => AskLine::Text { text },
        Ok(ExpertEvent::Embedding { index, vector }) => AskLine::Embedding { index, vector },
        Ok(ExpertEvent::Distribution(probabilities)) => AskLine::Distribution { probabilities },
        Ok(ExpertEvent::Done { usage, reason }) => AskLine::Done { usage, reason },
        Err(error) => AskLine::Error { error: ApiError::from(error).into_body().error },
    }
}

/// The handler.
pub(super) async fn ask(
    State(app): State<App>,
    slot: Slot,
    JsonBody(body): JsonBody<AskBody>,
) -> Result<Response, ApiError> {
    let mut ask = query(body.terms, &app, body.target, body.request)?;
    (ask.explain, ask.receipt) = (ask.explain || body.explain, ask.receipt || body.receipt);
    let begun = begin(&app, slot, ask).await?;
    let headers = begun.headers();
    let first = AskLine::Route { expert: begun.expert, route: begun.route };
    let ending = begun.ending;
    let rest = begun.events.map(line).flat_map(move |line| {
        let ending = matches!(line, AskLine::Done { .. }).then(|| ending.get().cloned()).flatten();
        stream::iter(AskLine::of_summary(ending.unwrap_or_default()).chain([line]))
    });
    let lines = stream::iter([first]).chain(rest).map(|line| encode(&line));
    let kind = [(header::CONTENT_TYPE, "application/x-ndjson"), (header::CACHE_CONTROL, "no-store")];
    Ok((headers, kind, Body::from_stream(lines)).into_response())
}

/// One line with its end.
fn encode(line: &AskLine) -> Result<Bytes, serde_json::Error> {
    let mut bytes = serde_json::to_vec(line)?;
    bytes.push(b'\n');
    Ok(bytes.into())
}
