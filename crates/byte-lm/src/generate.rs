//! One answer of a byte model: the loop from prompt to `Done`.
//!
//! The worker never waits for its caller. Text is sent in pieces of [`PIECE_BYTES`], and the channel holds as many pieces
//! as the longest answer has, so that a slow reader occupies some kilobytes and no thread.

use nervure_experts::byte_text::{Continuation, MAX_OUTPUT_BYTES, PIECE_BYTES};
use nervure_experts::{ExpertError, ExpertItem};
use nervure_protocol::{ExpertEvent, Sampling, Usage};
use tokio::sync::mpsc;

use crate::session::Session;

/// Items of the longest answer: its pieces, of which the first and the last may be shorter, and its end.
pub(crate) const MAX_ANSWER_ITEMS: usize = MAX_OUTPUT_BYTES as usize / PIECE_BYTES + 4;

/// Why the loop ended before `Done` was sent.
pub(crate) enum GenerateError {
    /// The caller dropped its stream and needs no answer.
    CallerLeft,
    /// The caller must get this error.
    Failed(ExpertError),
}

impl<E: Into<ExpertError>> From<E> for GenerateError {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

/// Continues `prompt` and sends the answer, up to and including `Done`. Before every byte, `closing` says whether the
/// expert is being shut down.
pub(crate) fn generate(
    session: &mut Session,
    (prompt, sampling): (&str, &Sampling),
    events: &mpsc::Sender<ExpertItem>,
    closing: impl Fn() -> bool,
) -> Result<(), GenerateError> {
    let mut text = Continuation::new(sampling);
    let mut logits = session.resume(prompt.as_bytes(), sampling.prefix.as_bytes())?;
    let reason = loop {
        if let Some(reason) = text.finished() {
            break reason;
        }
        if events.is_closed() {
            return Err(GenerateError::CallerLeft);
        }
        if closing() {
            return Err(GenerateError::Failed(ExpertError::Cancelled));
        }
        let byte = text.choose(&logits);
        let step = text.push(byte);
        if !step.text.is_empty() {
            send(events, ExpertEvent::Text(step.text))?;
        }
        match step.end {
            Some(reason) => break reason,
            None => logits = session.push(byte)?,
        }
    };
    let prompt_tokens = u32::try_from(prompt.len()).unwrap_or(u32::MAX);
    let usage = Usage { prompt_tokens, completion_tokens: text.written() };
    send(events, ExpertEvent::Done { usage, reason })
}

/// Sends an event without waiting for the caller.
pub(crate) fn send(events: &mpsc::Sender<ExpertItem>, event: ExpertEvent) -> Result<(), GenerateError> {
    events.try_send(Ok(event)).map_err(|error| match error {
        mpsc::error::TrySendError::Closed(_) => GenerateError::CallerLeft,
        mpsc::error::TrySendError::Full(_) => GenerateError::Failed(ExpertError::Internal(
            "the answer has more pieces than its channel holds".into(),
        )),
    })
}
