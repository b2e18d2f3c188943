//! `GET /traces/{id}`: how the expert of an answer was chosen, for clients of the OpenAI API, whose responses have no
//! field for it.
//!
//! Only answers requested with `explain` have one, and only the last are stored: [`MAX_TRACES`] of them, of
//! [`MAX_TRACE_BYTES`] together. A trace contains neither the query nor the answer. Its id is random, so that others cannot guess it.

use std::{
    collections::VecDeque,
    sync::{Arc, OnceLock},
};

use axum::{
    Json,
    extract::{Path, State},
};
use nervure_api::{AnswerSummary, ExpertView, RouteView, TraceView, paths};
use nervure_primitives::Excerpt;
use parking_lot::Mutex;
use rand::Rng;

use super::{App, error::ApiError};

/// Maximum number of stored traces.
const MAX_TRACES: usize = 256;

/// Maximum size of all stored traces, as JSON.
const MAX_TRACE_BYTES: usize = 16 << 20;

/// The last traces.
#[derive(Default)]
pub(super) struct TraceStore(Mutex<TraceBuffer>);

#[derive(Default)]
struct TraceBuffer {
    traces: VecDeque<StoredTrace>,
    bytes: usize,
}

/// The trace of an answer.
#[derive(Clone)]
struct StoredTrace {
    id: String,
    expert: ExpertView,
    route: RouteView,
    summary: Arc<OnceLock<AnswerSummary>>,
    bytes: usize,
}

impl TraceStore {
    /// Stores a trace and returns its path, or none if it is too large.
    pub(super) fn store(
        &self,
        expert: &ExpertView,
        route: &RouteView,
        summary: &Arc<OnceLock<AnswerSummary>>,
    ) -> Option<String> {
        let bytes = serde_json::to_vec(route).ok()?.len();
        // It would evict all others and then itself.
        if bytes > MAX_TRACE_BYTES {
            return None;
        }
        let id = format!("{:032x}", rand::rng().random::<u128>());
        let path = paths::trace(&id);
        // The route is the large part; the summary has at most a line per expert that took part.
        let trace =
            StoredTrace { id, expert: expert.clone(), route: route.clone(), summary: summary.clone(), bytes };
        let mut buffer = self.0.lock();
        buffer.bytes += bytes;
        buffer.traces.push_back(trace);
        while buffer.traces.len() > MAX_TRACES || buffer.bytes > MAX_TRACE_BYTES {
            let Some(oldest) = buffer.traces.pop_front() else { break };
            buffer.bytes -= oldest.bytes;
        }
        Some(path)
    }

    fn find(&self, id: &str) -> Option<StoredTrace> {
        let buffer = self.0.lock();
        buffer.traces.iter().find(|trace| trace.id == id).cloned()
    }
}

/// The path of the checkpoint whose incentives a route used; `None` before the first block.
pub(super) fn checkpoint(route: &RouteView) -> Option<String> {
    (route.block.0 > 0).then(|| paths::checkpoint(Some(route.block)))
}

/// The handler.
pub(super) async fn trace(
    State(app): State<App>,
    Path(id): Path<String>,
) -> Result<Json<TraceView>, ApiError> {
    let Some(StoredTrace { expert, route, summary, .. }) = app.traces.find(&id) else {
        let stored = "only the last answers that were requested with \"explain\" have one";
        return Err(ApiError::not_found(format!("no trace {}; {stored}", Excerpt::new(&id))));
    };
    let ended = summary.get();
    let AnswerSummary { receipts, participants, took_over, released: _ } = ended.cloned().unwrap_or_default();
    let (checkpoint, ended) = (checkpoint(&route), ended.is_some());
    Ok(Json(TraceView { expert, route, checkpoint, ended, took_over, receipts, participants }))
}
