//! One answer of a byte model: the loop from prompt to `Done`.
//!
//! The worker never waits for its caller. Text is collected to pieces of [`PIECE`] bytes, and the channel holds as
//! many pieces as the longest answer has, so that a caller who reads slowly holds some kilobytes and no thread.

use tokio::sync::mpsc;

use super::builtin::MAX_OUTPUT;
use super::model::DOCUMENT_START;
use super::sampler::Sampler;
use super::session::Session;
use crate::stop::StopScanner;
use crate::stream::Item;
use crate::utf8::Utf8Pieces;
use crate::{ExpertError, ExpertEvent, FinishReason, Sampling, Usage};

/// Bytes of text that are sent together, the first piece aside, which leaves at once.
const PIECE: usize = 8;

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
    let mut sampler = Sampler::new(sampling);
    let mut stops = StopScanner::new(&sampling.stop);
    let mut writer = Writer { events, text: Utf8Pieces::default(), pending: String::new(), sent: false };
    let mut logits = session.start(prompt.as_bytes())?;
    let most = sampling.max_tokens.min(MAX_OUTPUT);
    let mut written = 0;
    let reason = loop {
        if written == most {
            break FinishReason::Length;
        }
        if events.is_closed() {
            return Err(Stopped::CallerLeft);
        }
        if closing() {
            return Err(Stopped::Failed(ExpertError::Cancelled));
        }
        let byte = sampler.choose(&logits);
        written += 1;
        if byte == DOCUMENT_START {
            break FinishReason::Stop;
        }
        let passed = stops.push(byte);
        writer.write(&passed.bytes)?;
        if passed.stopped {
            break FinishReason::Stop;
        }
        if written < most {
            logits = session.push(byte)?;
        }
    };
    writer.write(&stops.finish())?;
    let prompt_tokens = u32::try_from(prompt.len()).unwrap_or(u32::MAX);
    let usage = Usage { prompt_tokens, completion_tokens: written };
    writer.finish(ExpertEvent::Done { usage, reason })
}

struct Writer<'a> {
    events: &'a mpsc::Sender<Item>,
    text: Utf8Pieces,
    pending: String,
    sent: bool,
}

impl Writer<'_> {
    fn write(&mut self, bytes: &[u8]) -> Result<(), Stopped> {
        self.pending += &self.text.push(bytes);
        if self.pending.len() >= PIECE || (!self.sent && !self.pending.is_empty()) {
            self.flush()?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Stopped> {
        self.sent = true;
        send(self.events, ExpertEvent::Text(std::mem::take(&mut self.pending)))
    }

    fn finish(mut self, done: ExpertEvent) -> Result<(), Stopped> {
        self.pending += &self.text.finish();
        if !self.pending.is_empty() {
            self.flush()?;
        }
        send(self.events, done)
    }
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
