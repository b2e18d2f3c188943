//! An expert's answer as a whole, for what cannot start before all of it is there.
//!
//! What a hostile expert can do: fill memory up to [`MAX_ANSWER_EVENTS`] and [`MAX_ANSWER_BYTES`], until the deadline.

use crate::{
    AnswerReceipt,
    attempt::{AttemptError, AttemptSpec, protocol_failure},
};
use nervure_protocol::{ExpertEvent, ExpertRecord, FinishReason, Usage};

/// Events of one collected answer.
const MAX_ANSWER_EVENTS: usize = 8_192;

/// Bytes of text and numbers in one collected answer.
const MAX_ANSWER_BYTES: usize = 8 << 20;

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
        let (mut events, mut room) = (Vec::new(), MAX_ANSWER_BYTES);
        loop {
            if let ExpertEvent::Done { usage, reason } = event {
                let receipt = remainder.into_receipt();
                return Ok(CollectedAnswer { record, events, usage, reason, receipt });
            }
            match room.checked_sub(size(&event)) {
                Some(less) if events.len() < MAX_ANSWER_EVENTS => room = less,
                _ => {
                    let failure = protocol_failure("the answer is longer than a collected one may be");
                    return Err(AttemptError { record, failure });
                }
            }
            events.push(event);
            event = match remainder.next().await {
                Ok(event) => event,
                Err(failure) => return Err(AttemptError { record, failure }),
            };
        }
    }
}

impl CollectedAnswer {
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
        let vectors: Option<Vec<&[f32]>> = (0u32..).zip(&self.events).map(vector).collect();
        vectors.filter(|vectors| vectors.len() == inputs)
    }
}

fn size(event: &ExpertEvent) -> usize {
    match event {
        ExpertEvent::Text(text) => text.len(),
        ExpertEvent::Embedding { vector, .. } => size_of_val(vector.as_slice()),
        ExpertEvent::Distribution(probabilities) => size_of_val(probabilities.as_slice()),
        ExpertEvent::Done { .. } => 0,
    }
}

#[cfg(test)]
mod tests;
