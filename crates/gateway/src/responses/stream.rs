//! A response as server-sent events.
//!
//! A stream ends with `response.completed`, `response.incomplete` or, when it breaks off, `response.failed` and then `error`.
//! The data of `error` has a field `error` too: the official client raises it, so an incomplete response never passes for a
//! short one.

use std::ops::ControlFlow;

use axum::response::{IntoResponse, sse::Event};
use futures::{StreamExt, stream};
use nervure_api::ServiceError;
use nervure_protocol::ExpertEvent;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::Running;
use crate::{answer::AnswerEvents, error::ApiError, streamed};

/// What a client reads from a stream.
pub(crate) const STREAM: &str = "The events of the response, each with its `type` and `sequence_number`. The last is \
     `response.completed`, `response.incomplete`, or `response.failed` and then `error`.";

/// An event of a stream.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct ResponseEvent {
    /// Its name: `response.created`, `response.output_text.delta`, ..
    #[serde(rename = "type")]
    kind: String,
    /// Counts from 0.
    sequence_number: u64,
    /// What the type has.
    #[serde(flatten)]
    details: Map<String, Value>,
}

/// The response.
pub(super) fn sse(running: Running, events: AnswerEvents) -> impl IntoResponse {
    let mut writer = Writer { running, next: 0 };
    let first = writer.first();
    let rest = events.written(move |item| writer.events(item));
    streamed::sse(stream::iter(first).chain(rest))
}

struct Writer {
    running: Running,
    /// The number of the next event.
    next: u64,
}

impl Writer {
    fn first(&mut self) -> Vec<Event> {
        let begun = json!(self.running.head.begun());
        ["response.created", "response.in_progress"]
            .map(|kind| self.event(json!({ "type": kind, "response": begun })))
            .into()
    }

    fn events(&mut self, item: Result<ExpertEvent, ServiceError>) -> ControlFlow<Vec<Event>, Vec<Event>> {
        let added = item.and_then(|event| Ok((self.running.output.add(&event)?, event)));
        let (mut bodies, event) = match added {
            Ok(added) => added,
            Err(error) => return ControlFlow::Break(self.failed(error).into()),
        };
        if let ExpertEvent::Done { usage, reason } = event {
            let body = self.running.end(usage, reason);
            bodies.push(json!({ "type": body.last_event(), "response": body }));
        }
        ControlFlow::Continue(bodies.into_iter().map(|body| self.event(body)).collect())
    }

    fn failed(&mut self, error: ServiceError) -> [Event; 2] {
        let detail = ApiError::from(error).into_body().error;
        let code = detail.code.clone().unwrap_or_default();
        let body =
            self.running.head.failed(self.running.output.items("incomplete"), code, detail.message.clone());
        let failed = json!({ "type": body.last_event(), "response": body });
        let error = json!({
            "type": "error", "code": detail.code, "message": detail.message, "param": detail.param, "error": detail,
        });
        [failed, error].map(|body| self.event(body))
    }

    /// Our own types always encode; if one did not, the event would be empty, which clients skip.
    fn event(&mut self, body: Value) -> Event {
        let Value::Object(mut details) = body else { return Event::default() };
        let kind =
            details.remove("type").and_then(|kind| Some(kind.as_str()?.to_owned())).unwrap_or_default();
        let event = ResponseEvent { kind: kind.clone(), sequence_number: self.next, details };
        self.next += 1;
        Event::default().event(kind).json_data(&event).unwrap_or_default()
    }
}
