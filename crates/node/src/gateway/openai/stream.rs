//! An answer as server-sent events, in the form that OpenAI's clients read.
//!
//! A stream that ends well ends with `data: [DONE]`. One that breaks off has `data: {"error": ..}` last and no `[DONE]`: the
//! official clients raise that as an error, so a broken answer never passes for a short one.

use std::{convert::Infallible, time::Duration};

use axum::response::{
    IntoResponse, Sse,
    sse::{Event, KeepAlive},
};
use futures::{StreamExt, stream};
use nervure_experts::ExpertEvent;

use super::reply::{Body, Reply};
use crate::{
    gateway::{answer::Events, error::ApiError},
    service::ServiceError,
};

/// Silence after which a comment is sent: it keeps proxies from closing, and finds out a client that is gone.
const KEEP_ALIVE: Duration = Duration::from_secs(10);

/// The last event of a whole answer.
const DONE: &str = "[DONE]";

/// The response.
pub(super) fn sse(reply: Reply, events: Events, include_usage: bool) -> impl IntoResponse {
    let chunker = Chunker { reply, include_usage };
    let first: Vec<Event> = chunker.opening();
    let rest = events.flat_map(move |item| stream::iter(chunker.events(item)));
    let events = stream::iter(first).chain(rest).map(Ok::<_, Infallible>);
    ([("x-accel-buffering", "no")], Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)))
}

/// Makes server-sent events of an answer's.
struct Chunker {
    reply: Reply,
    include_usage: bool,
}

impl Chunker {
    fn opening(&self) -> Vec<Event> {
        self.reply.opening().map(|body| self.event(body)).into_iter().collect()
    }

    fn events(&self, item: Result<ExpertEvent, ServiceError>) -> Vec<Event> {
        match item {
            Ok(ExpertEvent::Text(text)) => vec![self.event(self.reply.chunk(text))],
            Ok(ExpertEvent::Embedding { .. } | ExpertEvent::Distribution(_)) => Vec::new(),
            Ok(ExpertEvent::Done { usage, reason }) => {
                let ending = self.event(self.reply.ending(reason));
                let usage = self.include_usage.then(|| self.event(self.reply.usage(usage)));
                [ending].into_iter().chain(usage).chain([Event::default().data(DONE)]).collect()
            }
            Err(error) => vec![json(&ApiError::from(error).into_body())],
        }
    }

    fn event(&self, body: Body<'_>) -> Event {
        if self.include_usage { json(&body.with_null_usage()) } else { json(&body) }
    }
}

/// An event of one line of JSON. Our own types always encode; if one did not, the event would be empty, which clients skip.
fn json(value: &impl serde::Serialize) -> Event {
    Event::default().json_data(value).unwrap_or_default()
}
