//! The bytes that a model wrote, from the answer that its reader got.
//!
//! The reader does not see what ended a text: the byte [`DOCUMENT_START`], or a stop string. There are few possibilities,
//! and most of them contradict the answer's own numbers. What remains is checked by the code that made the answer:
//! the bytes are pushed through a [`Continuation`], which has to give that text and end where the answer ends.

use nervure_experts::byte_text::{Continuation, DOCUMENT_START};
use nervure_protocol::{FinishReason, Sampling};
use nervure_subnet::audit::GivenAnswer;

/// Bytes that give an answer.
pub(super) struct Written {
    /// The bytes after the prefix.
    pub(super) bytes: Vec<u8>,
    /// How many of them are text; those after it ended the text.
    pub(super) text: usize,
}

/// All that give `text` and end as `answer` says. Most often one.
pub(super) fn candidates(sampling: &Sampling, text: &str, answer: GivenAnswer<'_>) -> Vec<Written> {
    let endings: Vec<Vec<u8>> = match answer.reason {
        FinishReason::Length => vec![Vec::new()],
        FinishReason::Stop => stops(sampling, text),
        // No byte model ends a text for another reason.
        FinishReason::Other | FinishReason::ToolCalls => Vec::new(),
    };
    let written = endings
        .into_iter()
        .map(|ending| Written { bytes: [text.as_bytes(), &ending].concat(), text: text.len() });
    written.filter(|written| gives(sampling, &written.bytes, text, answer)).collect()
}

/// What may have ended a text that stopped.
fn stops(sampling: &Sampling, text: &str) -> Vec<Vec<u8>> {
    // A text that was complete when it was begun has no further byte.
    let mut endings = vec![Vec::new(), vec![DOCUMENT_START]];
    for stop in &sampling.stop {
        // Its beginning may be in the prefix, where an earlier expert sent it; then nothing else was written.
        let longest = if text.is_empty() { stop.len() } else { 1 };
        endings.extend((0..longest).map(|from| stop.as_bytes()[from..].to_vec()));
    }
    endings.sort_unstable();
    endings.dedup();
    endings
}

/// Whether these bytes give `text` and the end of `answer`.
fn gives(sampling: &Sampling, bytes: &[u8], text: &str, answer: GivenAnswer<'_>) -> bool {
    let mut continuation = Continuation::new(sampling);
    let (mut shown, mut end) = (String::new(), continuation.finished());
    for byte in bytes {
        if end.is_some() {
            return false;
        }
        let step = continuation.push(*byte);
        shown += &step.text;
        end = step.end;
    }
    shown == text && end == Some(answer.reason) && continuation.written() == answer.usage.completion_tokens
}
