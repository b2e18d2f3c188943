//! One text that grows byte by byte: it chooses the next byte, cuts the text into pieces and decides where it ends.
//!
//! A text has the same rules whether its distributions come from one model or from a mixture: temperature and top-p
//! choose a byte; [`DOCUMENT_START`], a stop string or the length ends the text; a piece never ends inside a character.

use super::sampler::Sampler;
use super::utf8::Utf8Decoder;
use super::{DOCUMENT_START, MAX_OUTPUT_BYTES};
use crate::stop::StopScanner;
use nervure_protocol::{FinishReason, Sampling};

/// Bytes that a piece of text has at least, except for the first piece, which is sent at once, and the last.
pub const PIECE_BYTES: usize = 8;

/// One text that is being written.
#[derive(Debug)]
pub struct Continuation {
    sampler: Sampler,
    stops: StopScanner,
    text: Utf8Decoder,
    /// Text that waits for its piece to become long enough.
    pending: String,
    /// Whether the reader has text already: the first piece is not delayed.
    started: bool,
    written: u32,
    max_bytes: u32,
    /// Bytes still to come out of the stop scanner that the reader has from an earlier expert.
    repeated: usize,
    /// Whether the begun text has a stop string.
    stopped: bool,
}

/// The effect of one byte on a text.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct ContinuationStep {
    /// Text to send now; often empty.
    pub text: String,
    /// Why the text ends with this byte; no byte may follow then.
    pub end: Option<FinishReason>,
}

impl Continuation {
    /// The text that `sampling` asks for, of at most [`MAX_OUTPUT_BYTES`], or the rest of the text in `sampling.prefix`.
    /// Without a seed every text differs; with one, the rest is the same as that of an uninterrupted text.
    #[must_use]
    pub fn new(sampling: &Sampling) -> Self {
        let mut sampler = Sampler::new(sampling);
        let mut stops = StopScanner::new(&sampling.stop);
        let prefix = sampling.prefix.as_bytes();
        // The scanner reads the begun text too: a stop string may begin in it and end in the new text.
        let (mut passed, mut stopped) = (0, false);
        for byte in prefix {
            sampler.skip();
            let scan = stops.push(*byte);
            passed += scan.bytes.len();
            if scan.stopped {
                // The expert that began the text did not stop there. The text has ended, and the scanner too.
                stopped = true;
                break;
            }
        }
        Self {
            sampler,
            stops,
            text: Utf8Decoder::default(),
            pending: String::new(),
            started: !prefix.is_empty(),
            written: u32::try_from(prefix.len()).unwrap_or(u32::MAX),
            max_bytes: sampling.max_tokens.min(MAX_OUTPUT_BYTES),
            // The scanner holds these back, but the expert that began the text may have sent them.
            repeated: prefix.len().saturating_sub(passed),
            stopped,
        }
    }

    /// Why no further byte may be written, where the text is complete already.
    #[must_use]
    pub fn finished(&self) -> Option<FinishReason> {
        match self.stopped {
            true => Some(FinishReason::Stop),
            false => (self.written >= self.max_bytes).then_some(FinishReason::Length),
        }
    }

    /// Bytes so far, those of a stop string included.
    #[must_use]
    pub fn written(&self) -> u32 {
        self.written
    }

    /// Chooses the next byte from 256 logits, or from the logarithms of 256 probabilities.
    pub fn choose(&mut self, logits: &[f32]) -> u8 {
        self.sampler.choose(logits)
    }

    /// Adds a byte.
    pub fn push(&mut self, byte: u8) -> ContinuationStep {
        self.written = self.written.saturating_add(1);
        let mut end = (self.written >= self.max_bytes).then_some(FinishReason::Length);
        if byte == DOCUMENT_START {
            end = Some(FinishReason::Stop);
        } else {
            let scan = self.stops.push(byte);
            let new = self.skip_repeated(&scan.bytes);
            self.pending += &self.text.push(&scan.bytes[new..]);
            if scan.stopped {
                end = Some(FinishReason::Stop);
            }
        }
        if end.is_some() {
            // The answer ends for another reason, so that the held bytes are not the beginning of a stop
            // string.
            let held = self.stops.finish();
            let new = self.skip_repeated(&held);
            self.pending += &self.text.push(&held[new..]);
            self.pending += &self.text.finish();
        }
        let ready = end.is_some() || self.pending.len() >= PIECE_BYTES || !self.started;
        let text = if ready { std::mem::take(&mut self.pending) } else { String::new() };
        self.started |= !text.is_empty();
        ContinuationStep { text, end }
    }

    /// The index in `bytes` of the first byte that the reader does not have yet.
    fn skip_repeated(&mut self, bytes: &[u8]) -> usize {
        let repeated = self.repeated.min(bytes.len());
        self.repeated -= repeated;
        repeated
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn write(bytes: &[u8], max_tokens: u32, stop: &[&str]) -> (String, Option<FinishReason>) {
        let stop = stop.iter().map(|stop| (*stop).to_owned()).collect();
        let mut continuation = Continuation::new(&Sampling { max_tokens, stop, ..Sampling::default() });
        let mut text = String::new();
        for byte in bytes {
            let step = continuation.push(*byte);
            text += &step.text;
            if step.end.is_some() {
                return (text, step.end);
            }
        }
        (text, None)
    }

    #[test]
    fn ends_at_the_length_a_stop_string_or_the_end_of_the_document() {
        assert_eq!(write(b"abcdef", 4, &[]), ("abcd".into(), Some(FinishReason::Length)));
        assert_eq!(write(b"ab\n\ncd", 9, &["\n\n"]), ("ab".into(), Some(FinishReason::Stop)));
        assert_eq!(write(b"ab\0cd", 9, &[]), ("ab".into(), Some(FinishReason::Stop)));
        assert_eq!(
            write(b"ab\n", 3, &["\n\n"]),
            ("ab\n".into(), Some(FinishReason::Length)),
            "bytes that were held back are sent at the end"
        );
        assert_eq!(write("aé".as_bytes(), 2, &[]), ("a\u{fffd}".into(), Some(FinishReason::Length)));
    }

    #[test]
    fn a_begun_text_continues_where_it_stopped() {
        let rest = |prefix: &str, bytes: &[u8], max_tokens, stop: &[&str]| {
            let stop = stop.iter().map(|stop| (*stop).to_owned()).collect();
            let sampling = Sampling { max_tokens, stop, prefix: prefix.into(), ..Sampling::default() };
            let mut continuation = Continuation::new(&sampling);
            let mut text = String::new();
            let end = bytes.iter().find_map(|byte| {
                let step = continuation.push(*byte);
                text += &step.text;
                step.end
            });
            (text, end)
        };
        assert_eq!(rest("abc", b"de", 5, &[]), ("de".into(), Some(FinishReason::Length)));
        assert_eq!(rest("ab\n", b"\ncd", 9, &["\n\n"]), (String::new(), Some(FinishReason::Stop)));
        assert_eq!(
            rest("ab\n", b"cd", 5, &["\n\n"]),
            ("cd".into(), Some(FinishReason::Length)),
            "a byte that was sent is not sent again"
        );
        let full = Sampling { max_tokens: 3, prefix: "abc".into(), ..Sampling::default() };
        assert_eq!(Continuation::new(&full).finished(), Some(FinishReason::Length));
    }

    #[test]
    fn a_begun_text_with_a_stop_string_is_complete() {
        let continuation = |prefix: &str| {
            let stop = vec!["END".into()];
            Continuation::new(&Sampling { stop, prefix: prefix.into(), ..Sampling::default() })
        };
        for prefix in ["abEND", "END", "abENDcd", "EENDEND"] {
            assert_eq!(continuation(prefix).finished(), Some(FinishReason::Stop), "{prefix}");
        }
        for prefix in ["abEN", "abE", "ENxD", ""] {
            assert_eq!(continuation(prefix).finished(), None, "{prefix}");
        }
    }

    proptest! {
        #[test]
        fn no_byte_is_lost_and_no_character_is_cut(text in "\\PC{1,40}") {
            let bytes = text.as_bytes();
            let step = write(bytes, u32::try_from(bytes.len()).unwrap(), &[]);
            prop_assert_eq!(step, (text, Some(FinishReason::Length)));
        }
    }
}
