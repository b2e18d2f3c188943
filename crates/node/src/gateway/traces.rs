//! `GET /traces/{id}`: why an answer came from whom it did, for clients of the OpenAI API, whose replies have no room for it.
//!
//! Only for answers that were asked for with `explain`, and only the last ones: [`MOST`] of them, of [`MOST_BYTES`] together.
//! There is no question and no answer in a trace. Its name is drawn by lot, so that others do not guess it.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use axum::{
    Json,
    extract::{Path, State},
};
use nervure_api::{AnswerSummary, ExpertView, RouteView, TraceView, paths};
use rand::Rng;

use super::{
    App,
    error::{ApiError, excerpt},
};

/// Most traces that are kept.
const MOST: usize = 256;

/// Most bytes of all of them, as JSON.
const MOST_BYTES: usize = 16 << 20;

/// The last traces.
#[derive(Default)]
pub(super) struct Traces(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    traces: VecDeque<Trace>,
    bytes: usize,
}

/// What is kept of an answer.
#[derive(Clone)]
struct Trace {
    id: String,
    expert: ExpertView,
    route: RouteView,
    ending: Arc<OnceLock<AnswerSummary>>,
    bytes: usize,
}

impl Traces {
    /// Keeps a trace; its path, or none when it is too large.
    pub(super) fn keep(
        &self,
        expert: &ExpertView,
        route: &RouteView,
        ending: &Arc<OnceLock<AnswerSummary>>,
    ) -> Option<String> {
        let bytes = serde_json::to_vec(route).ok()?.len();
        if bytes > MOST_BYTES {
            return None;
        }
        let id = format!("{:032x}", rand::rng().random::<u128>());
        let path = paths::trace(&id);
        let trace = Trace { id, expert: expert.clone(), route: route.clone(), ending: ending.clone(), bytes };
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.bytes += bytes;
        kept.traces.push_back(trace);
        while kept.traces.len() > MOST || kept.bytes > MOST_BYTES {
            let Some(oldest) = kept.traces.pop_front() else { break };
            kept.bytes -= oldest.bytes;
        }
        Some(path)
    }

    fn find(&self, id: &str) -> Option<Trace> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.traces.iter().find(|trace| trace.id == id).cloned()
    }
}

/// The path of the certificate of the block whose incentives a route went by; none before the first block.
pub(super) fn checkpoint(route: &RouteView) -> Option<String> {
    (route.block.0 > 0).then(|| paths::checkpoint(Some(route.block)))
}

/// The handler.
pub(super) async fn trace(
    State(app): State<App>,
    Path(id): Path<String>,
) -> Result<Json<TraceView>, ApiError> {
    let Some(Trace { expert, route, ending, .. }) = app.traces.find(&id) else {
        let kept = "they are kept for the last answers that were asked for with \"explain\" only";
        return Err(ApiError::not_found(format!("there is no trace {}; {kept}", excerpt(&id))));
    };
    let ended = ending.get();
    let AnswerSummary { receipts, participants, took_over } = ended.cloned().unwrap_or_default();
    let (checkpoint, ended) = (checkpoint(&route), ended.is_some());
    Ok(Json(TraceView { expert, route, checkpoint, ended, took_over, receipts, participants }))
}
