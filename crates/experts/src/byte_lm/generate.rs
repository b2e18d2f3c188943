//! One answer of a byte model: the loop from prompt to `Done`.
//!
//! The worker never waits for its caller. Text leaves in pieces of [`PIECE`] bytes, and the channel holds as many
//! pieces as the longest answer has, so that a caller who reads slowly holds some kilobytes and no thread.

use tokio::sync::mpsc;

use super::builtin::MAX_OUTPUT;
use super::continuation::{Continuation, PIECE};
use super::session::Session;
use crate::stream::Item;
use crate::{ExpertError, ExpertEvent, Sampling, Usage};

/// Items that the longest answer can consist of: its pieces, the first and the last of them shorter, and its end.
pub(super) const CHANNEL: usize = MAX_OUTPUT as usize / PIECE + 4;

/// Why the loop ended before `Done` could be sent.
pub(super) enum Stopped {
    /// The caller has gone; nobody is left to tell.
    CallerLeft,
    /// The caller is to be told.
    Failed(ExpertError),
}

impl<E: Into<ExpertError>> From<E> for Stopped {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

/// Continues `prompt` and sends what comes, up to and including `Done`. `closing` is asked before every byte
/// whether the expert is being shut down.
pub(super) fn generate(
    session: &mut Session,
    (prompt, sampling): (&str, &Sampling),
    events: &mpsc::Sender<Item>,
    closing: impl Fn() -> bool,
) -> Result<(), Stopped> {
    let mut text = Continuation::new(sampling);
    let mut logits = session.resume(prompt.as_bytes(), sampling.begun.as_bytes())?;
    let reason = loop {
        if let Some(reason) = text.over() {
            break reason;
        }
        if events.is_closed() {
            return Err(Stopped::CallerLeft);
        }
        if closing() {
            return Err(Stopped::Failed(ExpertError::Cancelled));
        }
        let byte = text.choose(&logits);
        let written = text.push(byte);
        if !written.text.is_empty() {
            send(events, ExpertEvent::Text(written.text))?;
        }
        match written.end {
            Some(reason) => break reason,
            None => logits = session.push(byte)?,
        }
    };
    let prompt_tokens = u32::try_from(prompt.len()).unwrap_or(u32::MAX);
    let usage = Usage { prompt_tokens, completion_tokens: text.written() };
    send(events, ExpertEvent::Done { usage, reason })
}

/// Sends without waiting.
pub(super) fn send(events: &mpsc::Sender<Item>, event: ExpertEvent) -> Result<(), Stopped> {
    events.try_send(Ok(event)).map_err(|error| match error {
        mpsc::error::TrySendError::Closed(_) => Stopped::CallerLeft,
        mpsc::error::TrySendError::Full(_) => {
            Stopped::Failed(ExpertError::Internal("an answer of more pieces than planned".to_owned()))
        }
    })
}
