//! An expert's answer as a whole, for what cannot start before all of it is there.
//!
//! What a hostile expert can do: fill memory up to [`MAX_ANSWER_EVENTS`] and [`MAX_ANSWER_BYTES`], until the deadline
//! of the query. An [`AnswerMeter`] enforces both bounds.

use crate::{
    AnswerReceipt,
    attempt::{AttemptError, AttemptSpec, protocol_failure},
};
use nervure_protocol::{
    AnswerBounds, AnswerMeter, AuditCase, ExpertEvent, ExpertRecord, FinishReason, Usage,
};
use tokio::time::Instant;

/// Events of one collected answer.
const MAX_ANSWER_EVENTS: usize = 8_192;

/// Bytes of text and numbers in one collected answer.
const MAX_ANSWER_BYTES: usize = 8 << 20;

const BOUNDS: AnswerBounds =
    AnswerBounds { max_bytes: MAX_ANSWER_BYTES, max_pieces: MAX_ANSWER_EVENTS, ..AnswerBounds::NONE };

/// A whole answer.
pub(crate) struct CollectedAnswer {
    /// The expert that gave it.
    pub(crate) record: ExpertRecord,
    /// Its events, without the end.
    pub(crate) events: Vec<ExpertEvent>,
    /// What it took.
    pub(crate) usage: Usage,
    /// Why it ended.
    pub(crate) reason: FinishReason,
    /// The expert's receipt for it.
    pub(crate) receipt: AnswerReceipt,
}

impl AttemptSpec {
    /// Asks the expert of `record` and waits for all of its answer.
    pub(crate) async fn collect(&self, record: ExpertRecord) -> Result<CollectedAnswer, AttemptError> {
        let started = self.start(record).await?;
        let (record, mut remainder, mut event) = (started.record, started.remainder, started.first);
        let (mut events, mut meter) = (Vec::new(), AnswerMeter::new(BOUNDS, Instant::now().into_std()));
        loop {
            if let ExpertEvent::Done { usage, reason } = event {
                let receipt = remainder.into_receipt();
                return Ok(CollectedAnswer { record, events, usage, reason, receipt });
            }
            // Charged before it is kept: the bound is on memory, so that the last event must not be above it.
            if meter.charge(event.content_bytes()).is_err() {
                let failure = protocol_failure("the answer is longer than a collected one may be");
                return Err(self.failed(record, failure));
            }
            events.push(event);
            event = match remainder.next().await {
                Ok(event) => event,
                Err(failure) => return Err(self.failed(record, failure)),
            };
        }
    }
}

impl CollectedAnswer {
    /// Everything that a validator needs to audit it.
    pub(crate) fn case(&self) -> Option<AuditCase> {
        self.receipt.case(self.events.clone())
    }

    /// All its text.
    pub(crate) fn text(&self) -> String {
        let texts = self.events.iter().filter_map(|event| match event {
            ExpertEvent::Text(text) => Some(text.as_str()),
            _ => None,
        });
        texts.collect()
    }

    /// Its vectors, one for each of `inputs`; none when it has others, or not exactly these.
    pub(crate) fn vectors(&self, inputs: usize) -> Option<Vec<&[f32]>> {
        let vector = |(at, event)| match event {
            &ExpertEvent::Embedding { index, ref vector } if index == at => Some(vector.as_slice()),
            _ => None,
        };
        // The place has to be the index: each input once, in order, and nothing else among them.
        let vectors: Option<Vec<&[f32]>> = (0u32..).zip(&self.events).map(vector).collect();
        vectors.filter(|vectors| vectors.len() == inputs)
    }
}

#[cfg(test)]
mod tests;
