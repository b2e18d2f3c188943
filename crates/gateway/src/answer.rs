//! An answer on its way to a client: bounded in number, and cancelled when the client leaves. Its bytes and its time are
//! bounded by [`ask_within_bounds`], with the bounds that [`super::terms`] puts into the query.
//!
//! [`AnswerEvents`] owns what must be given back (the permit of the query, the expert's stream) and is part of
//! the response body. When the client leaves, hyper drops the body, and with it the events: this is how a query is
//! cancelled. Both are also given back as soon as the answer ends, even if the client has not read its end.

use std::{
    ops::ControlFlow,
    pin::Pin,
    sync::{Arc, OnceLock},
    task::{Context, Poll, ready},
};

use axum::http::{HeaderMap, HeaderValue, header::LINK};
use futures::{
    Stream, StreamExt,
    stream::{self, BoxStream},
};
use nervure_api::{
    AnswerStream, AnswerSummary, ExpertView, Query, RouteView, ServiceError, ask_within_bounds,
};
use nervure_primitives::Escaped;
use nervure_protocol::{ExpertEvent, FinishReason, Usage};
use serde_json::{Map, Value};

use super::{
    App,
    client::{Client, QueryPermit},
    error::ApiError,
    gen_ai::AnswerObserver,
    model_names,
    openai::add_up,
    traces,
};

/// Response header: `NODE/EXPERT`.
pub(super) const EXPERT_HEADER: &str = "x-nervure-expert";

/// Response header: the route in short, as JSON.
pub(super) const ROUTE_HEADER: &str = "x-nervure-route";

/// An answer that has begun.
pub(super) struct RunningAnswer {
    /// How the expert was chosen.
    pub(super) route: RouteView,
    /// The expert that answers.
    pub(super) expert: ExpertView,
    /// The answer.
    pub(super) events: AnswerEvents,
    /// The summary, set when the answer ends.
    pub(super) summary: Arc<OnceLock<AnswerSummary>>,
}

/// A complete answer.
#[derive(Default)]
pub struct CompleteAnswer {
    /// All its text.
    pub text: String,
    /// What it has beside its text: the deltas of a chat, added up.
    pub fields: Map<String, Value>,
    /// All its vectors.
    pub vectors: Vec<Vec<f32>>,
    /// Tokens read and written.
    pub usage: Usage,
}

/// The events of an answer; ends after exactly one [`ExpertEvent::Done`] or error.
pub(super) struct AnswerEvents {
    running: Option<RunningEvents>,
}

/// What an answer holds until its end.
struct RunningEvents {
    events: BoxStream<'static, Result<ExpertEvent, ServiceError>>,
    permit: QueryPermit,
    observer: AnswerObserver,
}

/// Waits for the client's turn, asks, and waits until an expert has begun to answer.
pub(super) async fn start(app: &App, client: Client, query: Query) -> Result<RunningAnswer, ApiError> {
    let target = query.target.clone();
    let mut observer = app.config.metrics.answers.begin(&query.request);
    let admitted = client.admit(app, query).await;
    let (mut permit, query) = admitted.inspect_err(|error| observer.failed(error.code()))?;
    let answer = match ask_within_bounds(query, |query| app.service.ask(query)).await {
        Ok(answer) => answer,
        Err(error) => {
            observer.failed(error.code());
            return Err(model_names::explain(app, &target, error).await);
        }
    };
    let AnswerStream { route, expert, events, summary } = answer;
    observer.begun(&expert.model);
    if let Some(charge) = &mut permit.charge {
        charge.begun(expert.price, &route, &summary);
    }
    Ok(RunningAnswer {
        route,
        expert,
        events: AnswerEvents { running: Some(RunningEvents { events, permit, observer }) },
        summary,
    })
}

impl RunningAnswer {
    /// Headers that name the expert and the route, and link to the certificate of the block whose incentives the
    /// gate used.
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
        headers.insert(EXPERT_HEADER, header_value(&format!("{}/{}", self.expert.node, self.expert.expert)));
        headers.insert(ROUTE_HEADER, header_value(&route.to_string()));
        if let Some(path) = traces::checkpoint(&self.route) {
            headers
                .append(LINK, header_value(&format!("<{path}>; rel=\"describedby\"; title=\"certificate\"")));
        }
        headers
    }

    /// The same headers, and a link to the trace if one was requested.
    pub(super) fn headers_and_trace(&self, app: &App) -> HeaderMap {
        let mut headers = self.headers();
        let requested = self.route.detail.is_some();
        let stored = requested.then(|| app.traces.store(&self.expert, &self.route, &self.summary)).flatten();
        if let Some(path) = stored {
            headers.append(LINK, header_value(&format!("<{path}>; rel=\"describedby\"; title=\"trace\"")));
        }
        headers
    }
}

impl AnswerEvents {
    /// Waits for the complete answer.
    pub(super) async fn complete(self) -> Result<(CompleteAnswer, FinishReason), ServiceError> {
        let mut answer = CompleteAnswer::default();
        let (usage, reason) = self
            .read(|event| match event {
                ExpertEvent::Text(text) => {
                    answer.text.push_str(&text);
                    Ok(())
                }
                ExpertEvent::Fields(fields) => {
                    add_up(&mut answer.fields, fields.fields());
                    Ok(())
                }
                ExpertEvent::Embedding { index, vector } => answer.add(index, vector),
                ExpertEvent::Distribution(_) => Err(invalid_event("unrequested probabilities")),
                ExpertEvent::Done { .. } => Ok(()),
            })
            .await?;
        answer.usage = usage;
        Ok((answer, reason))
    }

    /// Hands over every event, the last one too, and gives what the last one says.
    pub(super) async fn read(
        mut self,
        mut read: impl FnMut(ExpertEvent) -> Result<(), ServiceError>,
    ) -> Result<(Usage, FinishReason), ServiceError> {
        while let Some(event) = self.next().await {
            let event = event?;
            let end = match &event {
                ExpertEvent::Done { usage, reason } => Some((*usage, *reason)),
                ExpertEvent::Text(_)
                | ExpertEvent::Fields(_)
                | ExpertEvent::Embedding { .. }
                | ExpertEvent::Distribution(_) => None,
            };
            read(event)?;
            if let Some(end) = end {
                return Ok(end);
            }
        }
        // The last event, or an error, came before.
        Err(invalid_event("no last event"))
    }

    /// What `write` makes of each event. Ends with the answer, or where `write` breaks off, which frees the expert.
    pub(super) fn written<T>(
        self,
        write: impl FnMut(Result<ExpertEvent, ServiceError>) -> ControlFlow<Vec<T>, Vec<T>>,
    ) -> impl Stream<Item = T> {
        let batches = stream::unfold((Some(self), write), |(events, mut write)| async move {
            let mut events = events?;
            let item = events.next().await?;
            Some(match write(item) {
                ControlFlow::Continue(batch) => (batch, (Some(events), write)),
                ControlFlow::Break(batch) => (batch, (None, write)),
            })
        });
        batches.flat_map(stream::iter)
    }
}

impl Stream for AnswerEvents {
    type Item = Result<ExpertEvent, ServiceError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Some(running) = &mut self.running else { return Poll::Ready(None) };
        let item = ready!(running.events.poll_next_unpin(cx));
        if let Some(item) = &item {
            running.observer.observe(item);
        }
        if let (Some(Ok(event)), Some(charge)) = (&item, &mut running.permit.charge) {
            charge.observe(event);
        }
        // Returns the permit now; the client may be slow to read the end.
        if matches!(item, None | Some(Err(_) | Ok(ExpertEvent::Done { .. }))) {
            self.running = None;
        }
        Poll::Ready(item)
    }
}

impl CompleteAnswer {
    /// Adds the next vector: each comes once, in order, and is finite.
    fn add(&mut self, index: u32, vector: Vec<f32>) -> Result<(), ServiceError> {
        // Each index once and in order: a hostile expert could leave holes or overwrite a vector otherwise.
        if usize::try_from(index) != Ok(self.vectors.len()) {
            return Err(invalid_event("vectors out of order"));
        }
        if !vector.iter().all(|x| x.is_finite()) {
            return Err(invalid_event("a vector with an invalid number"));
        }
        self.vectors.push(vector);
        Ok(())
    }
}

/// The expert sent an event that is not allowed.
fn invalid_event(what: &str) -> ServiceError {
    ServiceError::Interrupted { reason: format!("the expert sent {what}") }
}

/// A header value of text that may come from a remote node.
fn header_value(text: &str) -> HeaderValue {
    // Printable ASCII always is a header value.
    HeaderValue::try_from(Escaped::ascii(text).to_string()).unwrap_or(HeaderValue::from_static("?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_but_printable_ascii_is_escaped_in_headers() {
        assert_eq!(header_value("a/é\r\nset-cookie: x\u{7f}"), r"a/\u{e9}\r\nset-cookie: x\u{7f}");
    }
}
