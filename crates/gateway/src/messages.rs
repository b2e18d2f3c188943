//! `POST /v1/messages`: Anthropic's API, for agents that speak it alone.
//!
//! A request is a chat in another form ([`request`]), and its answer is blocks ([`reply`]): the same fields, bounds and errors
//! as a chat. The number of tokens of a request is an estimate, because the expert that will count them is not chosen yet.

mod reply;
mod request;

use std::ops::ControlFlow;

use axum::{
    Json,
    extract::State,
    http::HeaderMap,
    response::{IntoResponse, Response, sse::Event},
};
use futures::{StreamExt, stream};
use nervure_api::ServiceError;
use nervure_protocol::{ExpertEvent, text_tokens};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};

use super::{
    App,
    answer::AnswerEvents,
    body::JsonBody,
    client::Client,
    error::ApiError,
    openai::{begin, chat},
    streamed,
};
use reply::Blocks;

pub(crate) use reply::{MessageBody, MessageEvent};
pub(crate) use request::{CountBody, MessagesBody};

/// What a client reads from a stream.
pub(crate) const STREAM: &str = "`message_start`, for each block `content_block_start`, `content_block_delta` and \
     `content_block_stop`, then `message_delta` and `message_stop`; or `error` as the last one, when the answer breaks off.";

/// Fields of a chat, and what they are here. The system's message and results of tools are other messages here.
const FIELD_NAMES: [(&str, &str); 3] =
    [("max_completion_tokens", "max_tokens"), ("stop", "stop_sequences"), ("messages", "messages")];

/// The number of tokens of a request.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct TokenCount {
    /// An estimate: a token for four bytes.
    input_tokens: u32,
}

/// The handler.
pub(crate) async fn messages(
    State(app): State<App>,
    client: Client,
    headers: HeaderMap,
    JsonBody(body): JsonBody<MessagesBody>,
) -> Result<Response, ApiError> {
    let streams = body.stream();
    let mut chat = body.into_chat()?;
    let request = chat::request(&mut chat).map_err(|error| error.renamed(&FIELD_NAMES))?;
    let begun =
        begin(&app, client, &headers, chat, request).await.map_err(|error| error.renamed(&FIELD_NAMES))?;
    let headers = begun.headers_and_trace(&app);
    let id = format!("msg_{:032x}", rand::random::<u128>());
    let blocks = Blocks::new(id, begun.expert.model.clone());
    if streams {
        return Ok((headers, sse(blocks, begun.events)).into_response());
    }
    Ok((headers, Json(complete(blocks, begun.events).await?)).into_response())
}

/// The handler of the count.
pub(crate) async fn count_tokens(JsonBody(body): JsonBody<CountBody>) -> Result<Json<TokenCount>, ApiError> {
    let mut chat = body.into_chat()?;
    let request = chat::request(&mut chat).map_err(|error| error.renamed(&FIELD_NAMES))?;
    let settings = request.sampling().map_or(0, |sampling| sampling.extra.as_str().len());
    let input_tokens = text_tokens(request.text_bytes().saturating_add(settings)).max(1);
    Ok(Json(TokenCount { input_tokens }))
}

/// Waits for the end of the answer.
async fn complete(mut blocks: Blocks, events: AnswerEvents) -> Result<MessageBody, ServiceError> {
    let (usage, reason) = events.read(|event| blocks.add(&event).map(drop)).await?;
    blocks.ended(usage, reason)
}

/// The answer as server-sent events.
fn sse(mut blocks: Blocks, events: AnswerEvents) -> impl IntoResponse {
    let first = json!({ "type": "message_start", "message": blocks.begun() });
    let rest = events.written(move |item| next(&mut blocks, item));
    streamed::sse(stream::iter([first]).chain(rest).map(named))
}

/// The events of a stream for the next event of the answer.
fn next(blocks: &mut Blocks, item: Result<ExpertEvent, ServiceError>) -> ControlFlow<Vec<Value>, Vec<Value>> {
    let added = item.and_then(|event| Ok((blocks.add(&event)?, event)));
    let (mut bodies, event) = match added {
        Ok(added) => added,
        Err(error) => {
            let detail = ApiError::from(error).into_body().error;
            let error = json!({ "type": detail.kind, "message": detail.message, "code": detail.code });
            return ControlFlow::Break(vec![json!({ "type": "error", "error": error })]);
        }
    };
    if let ExpertEvent::Done { usage, reason } = event {
        bodies.extend(Blocks::last(usage, reason));
    }
    ControlFlow::Continue(bodies)
}

/// An event with the name that its type is.
fn named(body: Value) -> Event {
    let kind = body["type"].as_str().unwrap_or_default().to_owned();
    // Our own types always encode; if one did not, the event would be empty, which clients skip.
    Event::default().event(kind).json_data(&body).unwrap_or_default()
}
