//! One text that several byte-level experts write together: `mix:N`.
//!
//! # Design
//! At every byte each expert is asked for the distribution of the next one, over connections that are kept; the
//! weighted mean of the distributions is sampled, and the byte goes to all of them.
//! [`LockStep`](nervure_subnet::mix::LockStep) says when a step is done, and
//! [`FixedShare`](nervure_subnet::mix::FixedShare) what each expert's weight is: the gate's trust at first, and then
//! how well the expert predicts the text.
//!
//! A step is one query to each expert, not one message on a stream that stays open: it costs a round trip and
//! the frames of a query. Experts that cache what they have read make it one step of their model.
//!
//! Until the first byte, an expert that fails is replaced by the next choice. After that it is dropped, and the others
//! continue.
//!
//! # What a hostile expert can do
//! * *Stall*: a step waits [`STRAGGLER_TIMEOUT`] for it when half of the others have answered; after
//!   [`MAX_MISSED_STEPS`] it is dropped.
//! * *Send an invalid distribution*: it is dropped.
//! * *Mislead*: it loses weight with every byte that others predicted better.

mod member;
mod text;
mod window;

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use futures::{StreamExt, stream};
use nervure_api::{AnswerStream, AnswerSummary, ExpertView, Query, RouteView, ServiceError};
use nervure_protocol::{ExpertEvent, ExpertRequest};
use tokio::time::Instant;

use crate::{
    Router,
    group::{require, share, trusted, unsuitable},
    select::select,
    view::count,
};
use text::{MixedText, MixturePlan};

pub use window::{WINDOW_BYTES, WINDOW_KEPT_BYTES};

/// How long a step waits for the others when half of the experts have answered.
const STRAGGLER_TIMEOUT: Duration = Duration::from_millis(250);

/// How long a step may take.
const STEP_TIMEOUT: Duration = Duration::from_secs(10);

/// Steps of one text that an expert may miss.
const MAX_MISSED_STEPS: u32 = 32;

/// Experts that a mixture has at least.
const MIN_EXPERTS: usize = 2;

impl Router {
    /// Several byte-level experts write one text together.
    pub(crate) async fn ask_mixture(
        &self,
        query: &Query,
        deadline: Instant,
    ) -> Result<AnswerStream, ServiceError> {
        let ExpertRequest::Complete { prompt, sampling } = &query.request else {
            return Err(unsuitable("mix", "a text to continue"));
        };
        // They write single bytes, which no further field of the API can shape.
        query.request.text_only().map_err(|error| ServiceError::InvalidRequest {
            field: error.field.into(),
            message: error.reason,
        })?;
        // Each step is a request of its own to each of the experts.
        let steps = usize::try_from(sampling.max_tokens).unwrap_or(usize::MAX);
        let part = Query {
            budget: share(query.budget, query.strategy.width().saturating_mul(steps)),
            request: ExpertRequest::Distribution { context: Vec::new() },
            ..query.clone()
        };
        let trust = self.environment.trust.snapshot();
        let route = select(&self.environment, &trust, &part)?;
        let byte_level = route.choices.iter().filter(|choice| choice.record.byte_level);
        let plan = MixturePlan {
            prompt: prompt.clone(),
            sampling: sampling.clone(),
            candidates: trusted(byte_level).collect(),
            size: query.strategy.width(),
        };
        require(query, "that are byte-level", MIN_EXPERTS, plan.candidates.len())?;
        let spec = self.attempt_spec(Arc::<[u8]>::default(), part.budget, deadline).passed_on(query.hops);
        let text = MixedText::start(spec, plan).await?;
        let record = text.heaviest().unwrap_or_else(|| route.choices[0].record.clone());
        let (tried, participants) = (count(text.tried), text.participants());
        let route = RouteView { tried, participants, ..self.route_view(query, trust.block, &route) };
        Ok(answer(text, route, self.expert_view(&record)))
    }
}

/// The answer that `text` is.
fn answer(text: MixedText, route: RouteView, expert: ExpertView) -> AnswerStream {
    let summary: Arc<OnceLock<AnswerSummary>> = Arc::default();
    let set_summary = summary.clone();
    let events = stream::unfold(Some(Box::new(text)), move |text| {
        let set_summary = set_summary.clone();
        async move {
            let mut text = text?;
            Some(match text.next().await {
                Ok(event @ ExpertEvent::Done { .. }) => {
                    let participants = text.participants();
                    // Set here only, and once, as this is the last event.
                    let _ = set_summary.set(AnswerSummary { participants, ..AnswerSummary::default() });
                    (Ok(event), None)
                }
                Ok(event) => (Ok(event), Some(text)),
                Err(reason) => (Err(ServiceError::Interrupted { reason }), None),
            })
        }
    });
    AnswerStream { route, expert, events: events.boxed(), summary }
}

#[cfg(test)]
mod tests;
