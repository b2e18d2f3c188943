//! `POST /ask`: the endpoint of `nervure ask`. JSON in, one JSON object per line out.
//!
//! The lines are [`AskLine`]s. A query that fails before an expert has begun to answer has an HTTP status and the error
//! body of every other endpoint instead.

use axum::{
    extract::State,
    http::HeaderMap,
    response::{IntoResponse, Response},
};
use futures::{StreamExt, stream};
use nervure_api::{AskBody, AskLine, ServiceError};
use nervure_protocol::ExpertEvent;

use super::{App, answer::start, body::JsonBody, client::Client, error::ApiError, streamed, terms::query};

/// The line of an event.
fn line(item: Result<ExpertEvent, ServiceError>) -> AskLine {
    match item {
        Ok(ExpertEvent::Text(text)) => AskLine::Text { text },
        Ok(ExpertEvent::Embedding { index, vector }) => AskLine::Embedding { index, vector },
        Ok(ExpertEvent::Distribution(probabilities)) => AskLine::Distribution { probabilities },
        Ok(ExpertEvent::Fields(fields)) => AskLine::Fields { fields: fields.fields() },
        Ok(ExpertEvent::Done { usage, reason }) => AskLine::Done { usage, reason },
        Err(error) => AskLine::Error { error: ApiError::from(error).into_body().error },
    }
}

/// The handler.
pub(super) async fn ask(
    State(app): State<App>,
    client: Client,
    headers: HeaderMap,
    JsonBody(body): JsonBody<AskBody>,
) -> Result<Response, ApiError> {
    let mut query = query(body.terms, &app, body.target, body.request, &headers)?;
    query.explain |= body.explain;
    query.receipt |= body.receipt;
    let running = start(&app, client, query).await?;
    let headers = running.headers();
    let first = AskLine::Route { expert: running.expert, route: running.route };
    let summary = running.summary;
    let rest = running.events.map(line).flat_map(move |line| {
        let summary = matches!(line, AskLine::Done { .. }).then(|| summary.get().cloned()).flatten();
        stream::iter(AskLine::of_summary(summary.unwrap_or_default()).chain([line]))
    });
    Ok((headers, streamed::lines(stream::iter([first]).chain(rest))).into_response())
}
