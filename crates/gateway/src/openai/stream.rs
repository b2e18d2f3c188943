//! An answer as server-sent events, in the form that OpenAI's clients read.
//!
//! A complete stream ends with `data: [DONE]`. One that breaks off has `data: {"error": ..}` last and no `[DONE]`: the
//! official clients raise that as an error, so an incomplete answer never passes for a short one.

use axum::response::{IntoResponse, sse::Event};
use futures::{StreamExt, stream};
use nervure_api::ServiceError;
use nervure_protocol::ExpertEvent;

use super::reply::{ReplyBody, TextReply};
use crate::{answer::AnswerEvents, error::ApiError, streamed};

/// The data of the last event of a complete answer.
const DONE_DATA: &str = "[DONE]";

/// The response.
pub(super) fn sse(reply: TextReply, events: AnswerEvents, include_usage: bool) -> impl IntoResponse {
    let chunker = Chunker { reply, include_usage };
    let first: Vec<Event> = chunker.first();
    let rest = events.flat_map(move |item| stream::iter(chunker.events(item)));
    streamed::sse(stream::iter(first).chain(rest))
}

/// Turns the events of an answer into server-sent events.
struct Chunker {
    reply: TextReply,
    include_usage: bool,
}

impl Chunker {
    fn first(&self) -> Vec<Event> {
        self.reply.first_chunk().map(|body| self.event(body)).into_iter().collect()
    }

    fn events(&self, item: Result<ExpertEvent, ServiceError>) -> Vec<Event> {
        match item {
            Ok(ExpertEvent::Text(text)) => vec![self.event(self.reply.chunk(text))],
            Ok(ExpertEvent::Fields(fields)) => vec![self.event(self.reply.fields_chunk(fields.fields()))],
            Ok(ExpertEvent::Embedding { .. } | ExpertEvent::Distribution(_)) => Vec::new(),
            Ok(ExpertEvent::Done { usage, reason }) => {
                let last = self.event(self.reply.last_chunk(reason));
                let usage = self.include_usage.then(|| self.event(self.reply.usage_chunk(usage)));
                [last].into_iter().chain(usage).chain([Event::default().data(DONE_DATA)]).collect()
            }
            Err(error) => vec![json(&ApiError::from(error).into_body())],
        }
    }

    fn event(&self, body: ReplyBody<'_>) -> Event {
        if self.include_usage { json(&body.with_null_usage()) } else { json(&body) }
    }
}

/// An event of one line of JSON. Our own types always encode; if one did not, the event would be empty, which clients
/// skip.
fn json(value: &impl serde::Serialize) -> Event {
    Event::default().json_data(value).unwrap_or_default()
}
