//! Reaches scripted experts, and traces what they see.

use std::{collections::BTreeMap, sync::Arc};

use futures::{FutureExt, StreamExt, future::BoxFuture, stream};
use nervure_primitives::{Hash, NodeId, cbor};
use nervure_protocol::{ExpertRequest, Usage};
use parking_lot::Mutex;
use tokio::time::{Instant, sleep};

use super::{FakeExpert, Step};
use crate::{AnswerEnd, AnswerItem, Dial, DialError, EventStream, ExpertQuery};

/// Reaches the scripted experts.
pub(crate) struct FakeDial(Arc<DialState>);

struct DialState {
    start: Instant,
    experts: BTreeMap<NodeId, FakeExpert>,
    calls: Mutex<BTreeMap<NodeId, u32>>,
    trace: Mutex<Vec<String>>,
    queries: Mutex<Vec<ExpertQuery>>,
}

impl FakeDial {
    pub(super) fn new(experts: Vec<FakeExpert>) -> Self {
        Self(Arc::new(DialState {
            start: Instant::now(),
            experts: experts.into_iter().map(|expert| (expert.record.node, expert)).collect(),
            calls: Mutex::default(),
            trace: Mutex::default(),
            queries: Mutex::default(),
        }))
    }

    /// What the experts saw so far: milliseconds, event and expert.
    pub(crate) fn trace(&self) -> Vec<String> {
        self.0.trace.lock().clone()
    }

    pub(crate) fn queries(&self) -> Vec<ExpertQuery> {
        self.0.queries.lock().clone()
    }
}

impl DialState {
    fn note(&self, what: &str, expert: &str) {
        let at = self.start.elapsed().as_millis();
        self.trace.lock().push(format!("{at} {what} {expert}"));
    }
}

/// Notes that a query was cancelled when it is dropped before its end.
struct CancelProbe {
    state: Arc<DialState>,
    expert: String,
    is_over: bool,
}

impl CancelProbe {
    fn over(&mut self, what: &str) {
        self.is_over = true;
        self.state.note(what, &self.expert);
    }
}

impl Drop for CancelProbe {
    fn drop(&mut self) {
        if !self.is_over {
            self.state.note("cancel", &self.expert);
        }
    }
}

impl Dial for FakeDial {
    fn dial(&self, query: ExpertQuery) -> BoxFuture<'_, Result<EventStream, DialError>> {
        let state = self.0.clone();
        let request: ExpertRequest = cbor::decode(&query.body, cbor::Limits::new(1 << 20)).unwrap();
        let expert = &state.experts[&query.record.node];
        let call = {
            let mut calls = state.calls.lock();
            let calls = calls.entry(query.record.node).or_default();
            std::mem::replace(calls, *calls + 1)
        };
        let steps = (expert.script)(&request, call);
        let name = query.record.expert.clone();
        state.note("dial", &name);
        state.queries.lock().push(query);
        let mut probe = CancelProbe { state, expert: name, is_over: false };
        async move {
            // Whether the dial fails, or the stream that it gives, must make no difference to the router.
            if let [Step::Fail(error)] = steps.as_slice() {
                probe.over("fail");
                return Err(error.clone());
            }
            let stream = stream::unfold((steps.into_iter(), probe), |(mut steps, mut probe)| async move {
                let item = next_item(&mut steps, &mut probe).await;
                Some((item, (steps, probe)))
            });
            Ok(stream.boxed())
        }
        .boxed()
    }
}

async fn next_item(
    steps: &mut std::vec::IntoIter<Step>,
    probe: &mut CancelProbe,
) -> Result<AnswerItem, DialError> {
    loop {
        match steps.next() {
            Some(Step::Wait(duration)) => sleep(duration).await,
            Some(Step::Event(event)) => return Ok(AnswerItem::Event(event)),
            Some(Step::End(reason)) => {
                probe.over("end");
                let usage = Usage { prompt_tokens: 1, completion_tokens: 2 };
                return Ok(AnswerItem::End(AnswerEnd {
                    usage,
                    reason,
                    answer: Hash::of("answer", &[]),
                    receipt: None,
                }));
            }
            Some(Step::Fail(error)) => {
                probe.over("fail");
                return Err(error);
            }
            Some(Step::Hang) | None => std::future::pending().await,
        }
    }
}
