//! `POST /v1/responses`: OpenAI's newer API, which its agents and the AI SDK use by default.
//!
//! A response is a chat in another form: its items become messages ([`input`]), and the text, the calls and the reasoning of
//! the answer become items again ([`output`]). So it has the same fields, bounds and errors as a chat.
//!
//! # What a hostile client can do
//! `previous_response_id` continues a conversation that the gateway keeps ([`conversations`]). A client fills its own part
//! of that memory only, and finds no conversation of another key.

mod conversations;
mod input;
mod output;
mod request;
mod stream;

use axum::{
    Json,
    extract::State,
    http::HeaderMap,
    response::{IntoResponse, Response},
};
use nervure_api::ServiceError;
use nervure_primitives::Excerpt;
use nervure_protocol::{FinishReason, Usage};
use serde_json::Value;

use super::{
    App,
    answer::AnswerEvents,
    body::JsonBody,
    client::{Client, QueryFlow},
    error::ApiError,
    openai::{begin, chat, unix_seconds},
};
use output::{Output, ResponseHead};

pub(crate) use conversations::Conversations;
pub(crate) use output::ResponseBody;
pub(crate) use request::ResponsesBody;
pub(crate) use stream::{ResponseEvent, STREAM};

/// Fields of a chat, and what they are here.
const FIELD_NAMES: [(&str, &str); 3] = [
    ("max_completion_tokens", "max_output_tokens"),
    ("response_format", "text.format"),
    ("messages", "input"),
];

/// A response that has begun, and what is kept of it at its end.
struct Running {
    app: App,
    owner: QueryFlow,
    head: ResponseHead,
    output: Output,
    /// The conversation with the input of this response; none when it is not to be kept.
    messages: Option<Vec<Value>>,
}

/// The handler.
pub(crate) async fn responses(
    State(app): State<App>,
    client: Client,
    headers: HeaderMap,
    JsonBody(body): JsonBody<ResponsesBody>,
) -> Result<Response, ApiError> {
    let owner = client.flow();
    let (id, streams) = (format!("{:032x}", rand::random::<u128>()), body.stream());
    let before = match body.previous() {
        Some(previous) => {
            app.conversations.find(&owner, previous).ok_or_else(|| unknown_response(previous))?
        }
        None => Vec::new(),
    };
    let plan = body.into_chat(before)?;
    let (messages, settings) = (plan.messages, plan.settings);
    let mut chat = plan.chat;
    let request = chat::request(&mut chat).map_err(|error| error.renamed(&FIELD_NAMES))?;
    let begun =
        begin(&app, client, &headers, chat, request).await.map_err(|error| error.renamed(&FIELD_NAMES))?;
    let headers = begun.headers_and_trace(&app);
    let head = ResponseHead::new(&id, unix_seconds(), begun.expert.model.clone(), settings);
    let messages = head.is_stored().then_some(messages);
    let running = Running { app, owner, head, output: Output::new(&id), messages };
    if streams {
        return Ok((headers, stream::sse(running, begun.events)).into_response());
    }
    Ok((headers, Json(running.complete(begun.events).await?)).into_response())
}

impl Running {
    /// Waits for the end of the answer.
    async fn complete(mut self, events: AnswerEvents) -> Result<ResponseBody, ServiceError> {
        let (usage, reason) = events.read(|event| self.output.add(&event).map(drop)).await?;
        Ok(self.end(usage, reason))
    }

    /// The response at its end, which is kept from now on.
    fn end(&mut self, usage: Usage, reason: FinishReason) -> ResponseBody {
        if let Some(mut messages) = self.messages.take() {
            messages.extend(self.output.message());
            self.app.conversations.store(&self.owner, self.head.id(), &messages);
        }
        self.head.ended(self.output.items("completed"), usage, reason)
    }
}

fn unknown_response(id: &str) -> ApiError {
    let id = Excerpt::new(id);
    ApiError::bad(
        "previous_response_id",
        format!(
            "no response '{id}' is kept here: a gateway keeps the last ones, until it restarts; send the whole conversation as input"
        ),
    )
}
