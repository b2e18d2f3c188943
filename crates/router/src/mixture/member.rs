//! One expert of a mixture: what it has done so far, and one step put to it.

use std::time::Duration;

use nervure_api::ParticipantView;
use nervure_protocol::{ExpertEvent, ExpertRecord, ExpertRequest, query::body::encode_request};
use tokio::time::sleep;

use crate::{
    attempt::{AttemptFailure, AttemptSpec, FailureKind, StartedAnswer, protocol_failure},
    body::RequestBody,
};

/// The longest pause before a busy expert is asked again.
const MAX_BUSY_DELAY: Duration = Duration::from_millis(100);

/// One expert of a mixture.
pub(super) struct Member {
    pub(super) record: ExpertRecord,
    /// Whether a query is with it.
    pub(super) is_asked: bool,
    /// Bytes that it had a part in.
    pub(super) bytes: u64,
    /// Steps that it missed.
    pub(super) missed: u32,
    /// Whether it has answered the current step.
    pub(super) is_ready: bool,
    /// Why it was dropped.
    pub(super) dropped: Option<String>,
}

impl Member {
    pub(super) fn new(record: ExpertRecord) -> Self {
        Self { record, is_asked: false, bytes: 0, missed: 0, is_ready: false, dropped: None }
    }

    pub(super) fn is_active(&self) -> bool {
        self.dropped.is_none()
    }

    pub(super) fn view(&self, weight: f64, has_started: bool) -> ParticipantView {
        ParticipantView {
            node: self.record.node,
            netuid: self.record.netuid,
            expert: self.record.expert.clone(),
            weight,
            agrees: None,
            bytes: has_started.then_some(self.bytes),
            left: self.dropped.clone(),
        }
    }
}

/// Asks one expert for the distribution of the byte after `context`; while it is busy, again and again.
pub(super) async fn distribution(
    spec: AttemptSpec,
    record: ExpertRecord,
    context: Vec<u8>,
) -> Result<Vec<f32>, AttemptFailure> {
    let body = encode_request(&ExpertRequest::Distribution { context });
    let body = body.map_err(|error| protocol_failure(&error.to_string()))?;
    let spec = AttemptSpec { body: RequestBody::Encoded(body.into()), ..spec };
    loop {
        let mut started = match spec.start(record.clone()).await {
            Ok(started) => started,
            Err(failed) => match failed.failure.kind {
                // The step's own timeout ends this.
                FailureKind::Busy(after) => {
                    sleep(after.min(MAX_BUSY_DELAY)).await;
                    continue;
                }
                _ => return Err(failed.failure),
            },
        };
        return only_distribution(&mut started).await.map_err(|failure| spec.failed(record, failure).failure);
    }
}

async fn only_distribution(started: &mut StartedAnswer) -> Result<Vec<f32>, AttemptFailure> {
    let ExpertEvent::Distribution(probabilities) = &mut started.first else {
        return Err(protocol_failure("no distribution"));
    };
    let probabilities = std::mem::take(probabilities);
    // Waits for the end: dropping the stream before it would cancel the query at the expert.
    match started.remainder.next().await? {
        ExpertEvent::Done { .. } => Ok(probabilities),
        _ => Err(protocol_failure("more than one distribution")),
    }
}
