//! An answer on its way to a client: bounded in number, bytes and time, and cancelled when the client leaves.
//!
//! [`Events`] owns what must be given back (the slot among the questions in progress, the expert's stream) and sits inside
//! the response body. When the client goes, hyper drops the body, and with it the events: that is the whole of cancelling. Both are
//! also given back as soon as the answer ends, not when the client gets round to reading its end.

use std::{
    pin::Pin,
    sync::{Arc, OnceLock},
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, HeaderValue, StatusCode, header::LINK, request::Parts},
};
use futures::{Stream, StreamExt, stream::BoxStream};
use nervure_experts::{ExpertEvent, FinishReason, Usage};
use tokio::{
    sync::OwnedSemaphorePermit,
    time::{Sleep, sleep, timeout},
};

use super::{App, error::ApiError, traces};
use crate::service::{AnswerStream, AnswerSummary, ExpertView, Query, RouteView, ServiceError};

/// What the node gets beyond a deadline to report it in its own words, before the gateway does.
const DEADLINE_SLACK: Duration = Duration::from_secs(2);

/// When a client that found all slots taken may come back.
const BUSY_RETRY: Duration = Duration::from_secs(1);

/// What an event weighs besides its content, in bytes, so that empty ones run out as well.
const EVENT_OVERHEAD: usize = 16;

/// Response header: `NODE/EXPERT`.
const EXPERT_HEADER: &str = "x-nervure-expert";

/// Response header: the route in short, as JSON.
const ROUTE_HEADER: &str = "x-nervure-route";

/// A place among the questions in progress. As an extractor, it is taken before the body is read.
pub(super) struct Slot(#[expect(dead_code, reason = "held for its drop")] OwnedSemaphorePermit);

impl FromRequestParts<App> for Slot {
    type Rejection = ApiError;

    async fn from_request_parts(_: &mut Parts, app: &App) -> Result<Self, ApiError> {
        app.slots.clone().try_acquire_owned().map(Self).map_err(|_| {
            let message = format!("this node already works on {} questions", app.config.limits.questions);
            ApiError::new(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", message).retry_after(BUSY_RETRY)
        })
    }
}

/// An answer that has begun.
pub(super) struct Begun {
    /// How the expert was chosen.
    pub(super) route: RouteView,
    /// Who answers.
    pub(super) expert: ExpertView,
    /// The answer.
    pub(super) events: Events,
    /// What is known in the end only.
    pub(super) ending: Arc<OnceLock<AnswerSummary>>,
}

/// A whole answer.
#[derive(Default)]
pub(crate) struct Whole {
    /// All its text.
    pub(crate) text: String,
    /// All its vectors.
    pub(crate) vectors: Vec<Vec<f32>>,
    /// What it took.
    pub(crate) usage: Usage,
}

/// The events of an answer; ends after exactly one [`ExpertEvent::Done`] or error.
pub(super) struct Events {
    running: Option<(BoxStream<'static, Result<ExpertEvent, ServiceError>>, Slot)>,
    bytes_left: usize,
    deadline: Duration,
    expires: Pin<Box<Sleep>>,
}

/// Asks, and waits until an expert has begun to answer.
pub(super) async fn begin(app: &App, slot: Slot, ask: Query) -> Result<Begun, ServiceError> {
    let deadline = ask.deadline;
    let expires = Box::pin(sleep(deadline + DEADLINE_SLACK));
    let answer = timeout(deadline + DEADLINE_SLACK, app.service.ask(ask)).await;
    let AnswerStream { route, expert, events, summary: ending } =
        answer.map_err(|_| ServiceError::DeadlineExceeded { after: deadline })??;
    let bytes_left = app.config.limits.answer.get();
    Ok(Begun {
        route,
        expert,
        events: Events { running: Some((events, slot)), bytes_left, deadline, expires },
        ending,
    })
}

impl Begun {
    /// Headers that say who answers and why, and lead to the certificate of the block whose incentives counted.
    pub(super) fn headers(&self) -> HeaderMap {
        let route = serde_json::json!({
            "strategy": self.route.strategy,
            "policy": self.route.policy,
            "block": self.route.block,
            "candidates": self.route.candidates,
            "filtered": self.route.filtered,
            "tried": self.route.tried,
        });
        let mut headers = HeaderMap::new();
        headers.insert(EXPERT_HEADER, printable(&format!("{}/{}", self.expert.node, self.expert.expert)));
        headers.insert(ROUTE_HEADER, printable(&route.to_string()));
        if let Some(path) = traces::checkpoint(&self.route) {
            headers.append(LINK, printable(&format!("<{path}>; rel=\"describedby\"; title=\"certificate\"")));
        }
        headers
    }

    /// The same, and where it was asked for, a link to the whole trace.
    pub(super) fn headers_and_trace(&self, app: &App) -> HeaderMap {
        let mut headers = self.headers();
        let wanted = self.route.detail.is_some();
        let kept = wanted.then(|| app.traces.keep(&self.expert, &self.route, &self.ending)).flatten();
        if let Some(path) = kept {
            headers.append(LINK, printable(&format!("<{path}>; rel=\"describedby\"; title=\"trace\"")));
        }
        headers
    }
}

impl Events {
    /// Waits for the whole answer.
    pub(super) async fn whole(mut self) -> Result<(Whole, FinishReason), ServiceError> {
        let mut whole = Whole::default();
        while let Some(event) = self.next().await {
            match event? {
                ExpertEvent::Text(text) => whole.text.push_str(&text),
                ExpertEvent::Embedding { index, vector } => whole.add(index, vector)?,
                ExpertEvent::Distribution(_) => return Err(strange("probabilities that nobody asked for")),
                ExpertEvent::Done { usage, reason } => {
                    whole.usage = usage;
                    return Ok((whole, reason));
                }
            }
        }
        Err(broke_off())
    }

    /// Takes an event's size off what is left.
    fn weigh(&mut self, event: ExpertEvent) -> Result<ExpertEvent, ServiceError> {
        let bytes = match &event {
            ExpertEvent::Text(text) => text.len(),
            ExpertEvent::Embedding { vector, .. } => size_of_val(vector.as_slice()),
            ExpertEvent::Distribution(probabilities) => size_of_val(probabilities.as_slice()),
            ExpertEvent::Done { .. } => return Ok(event),
        };
        match self.bytes_left.checked_sub(bytes + EVENT_OVERHEAD) {
            Some(left) => {
                self.bytes_left = left;
                Ok(event)
            }
            None => Err(strange("more than this node takes")),
        }
    }
}

impl Stream for Events {
    type Item = Result<ExpertEvent, ServiceError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Some((events, _)) = &mut self.running else { return Poll::Ready(None) };
        let item = match events.poll_next_unpin(cx) {
            Poll::Ready(Some(item)) => item,
            Poll::Ready(None) => Err(broke_off()),
            Poll::Pending => {
                ready!(self.expires.as_mut().poll(cx));
                Err(ServiceError::DeadlineExceeded { after: self.deadline })
            }
        };
        let item = item.and_then(|event| self.weigh(event));
        if matches!(item, Err(_) | Ok(ExpertEvent::Done { .. })) {
            self.running = None;
        }
        Poll::Ready(Some(item))
    }
}

impl Whole {
    /// Adds the next vector: each comes once, in order, and is made of numbers.
    fn add(&mut self, index: u32, vector: Vec<f32>) -> Result<(), ServiceError> {
        if usize::try_from(index) != Ok(self.vectors.len()) {
            return Err(strange("vectors out of order"));
        }
        if !vector.iter().all(|x| x.is_finite()) {
            return Err(strange("a vector with what is no number"));
        }
        self.vectors.push(vector);
        Ok(())
    }
}

/// The expert sent what it should not.
fn strange(what: &str) -> ServiceError {
    ServiceError::Interrupted { reason: format!("the expert sent {what}") }
}

/// The stream stopped without its last word.
fn broke_off() -> ServiceError {
    ServiceError::Interrupted { reason: "it stopped without saying that it was complete".into() }
}

/// A header value of what may be a stranger's text: everything but printable ASCII becomes `?`.
fn printable(text: &str) -> HeaderValue {
    let clean: String = text.chars().map(|c| if matches!(c, ' '..='~') { c } else { '?' }).collect();
    HeaderValue::try_from(clean).unwrap_or(HeaderValue::from_static("?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_values_are_ascii_whatever_an_expert_calls_itself() {
        assert_eq!(printable("a/é\r\nset-cookie: x\u{7f}"), "a/???set-cookie: x?");
    }
}
