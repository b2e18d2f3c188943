//! The text that grows byte by byte: which byte comes next, what of it can be shown, and when it ends.
//!
//! Design: whoever has distributions of the next byte, of one model or mixed from several, writes text the same way:
//! temperature and top-p, [`DOCUMENT_START`] and stop strings end it, and no piece ends within a character.

use super::builtin::MAX_OUTPUT;
use super::model::DOCUMENT_START;
use super::sampler::Sampler;
use crate::stop::StopScanner;
use crate::utf8::Utf8Pieces;
use crate::{FinishReason, Sampling};

/// Bytes of text that are shown together, the first piece aside, which is shown at once.
pub(super) const PIECE: usize = 8;

/// One text being written.
#[derive(Debug)]
pub struct Continuation {
    sampler: Sampler,
    stops: StopScanner,
    text: Utf8Pieces,
    pending: String,
    shown: bool,
    written: u32,
    most: u32,
    /// Bytes that pass the scanner and were shown before.
    old: usize,
}

/// What a byte came to.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Text to show now; often none.
    pub text: String,
    /// Why this byte was the last; no byte may follow then.
    pub end: Option<FinishReason>,
}

impl Continuation {
    /// The text that `sampling` asks for, of at most [`MAX_OUTPUT`] bytes, or the rest of one that was begun. Without a
    /// seed every text differs; with one, the rest is what it would have been.
    #[must_use]
    pub fn new(sampling: &Sampling) -> Self {
        let mut sampler = Sampler::new(sampling);
        let mut stops = StopScanner::new(&sampling.stop);
        let begun = sampling.begun.as_bytes();
        let passed: usize = begun
            .iter()
            .map(|byte| {
                sampler.skip();
                stops.push(*byte).bytes.len()
            })
            .sum();
        Self {
            sampler,
            stops,
            text: Utf8Pieces::default(),
            pending: String::new(),
            shown: !begun.is_empty(),
            written: u32::try_from(begun.len()).unwrap_or(u32::MAX),
            most: sampling.max_tokens.min(MAX_OUTPUT),
            // Whoever began it may not have held these back.
            old: begun.len().saturating_sub(passed),
        }
    }

    /// Why nothing is left to write.
    #[must_use]
    pub fn over(&self) -> Option<FinishReason> {
        (self.written >= self.most).then_some(FinishReason::Length)
    }

    /// Bytes so far, those of a stop string among them.
    #[must_use]
    pub fn written(&self) -> u32 {
        self.written
    }

    /// A next byte, from 256 logits or logarithms of probabilities.
    pub fn choose(&mut self, logits: &[f32]) -> u8 {
        self.sampler.choose(logits)
    }

    /// Adds a byte.
    pub fn push(&mut self, byte: u8) -> Written {
        self.written = self.written.saturating_add(1);
        let mut end = (self.written >= self.most).then_some(FinishReason::Length);
        if byte == DOCUMENT_START {
            end = Some(FinishReason::Stop);
        } else {
            let passed = self.stops.push(byte);
            let new = self.new_of(&passed.bytes);
            self.pending += &self.text.push(&passed.bytes[new..]);
            if passed.stopped {
                end = Some(FinishReason::Stop);
            }
        }
        if end.is_some() {
            let held = self.stops.finish();
            let new = self.new_of(&held);
            self.pending += &self.text.push(&held[new..]);
            self.pending += &self.text.finish();
        }
        let ready = end.is_some() || self.pending.len() >= PIECE || !self.shown;
        let text = if ready { std::mem::take(&mut self.pending) } else { String::new() };
        self.shown |= !text.is_empty();
        Written { text, end }
    }

    /// Where in `bytes` begins what was not shown before.
    fn new_of(&mut self, bytes: &[u8]) -> usize {
        let old = self.old.min(bytes.len());
        self.old -= old;
        old
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn write(bytes: &[u8], max_tokens: u32, stop: &[&str]) -> (String, Option<FinishReason>) {
        let stop = stop.iter().map(|stop| (*stop).to_owned()).collect();
        let mut writing = Continuation::new(&Sampling { max_tokens, stop, ..Sampling::default() });
        let mut text = String::new();
        for byte in bytes {
            let written = writing.push(*byte);
            text += &written.text;
            if written.end.is_some() {
                return (text, written.end);
            }
        }
        (text, None)
    }

    #[test]
    fn it_ends_at_its_length_a_stop_string_or_the_end_of_the_document() {
        assert_eq!(write(b"abcdef", 4, &[]), ("abcd".into(), Some(FinishReason::Length)));
        assert_eq!(write(b"ab\n\ncd", 9, &["\n\n"]), ("ab".into(), Some(FinishReason::Stop)));
        assert_eq!(write(b"ab\0cd", 9, &[]), ("ab".into(), Some(FinishReason::Stop)));
        assert_eq!(
            write(b"ab\n", 3, &["\n\n"]),
            ("ab\n".into(), Some(FinishReason::Length)),
            "what was held"
        );
        assert_eq!(write("aé".as_bytes(), 2, &[]), ("a\u{fffd}".into(), Some(FinishReason::Length)));
    }

    #[test]
    fn a_text_that_was_begun_goes_on_where_it_was() {
        let rest = |begun: &str, bytes: &[u8], max_tokens, stop: &[&str]| {
            let stop = stop.iter().map(|stop| (*stop).to_owned()).collect();
            let sampling = Sampling { max_tokens, stop, begun: begun.into(), ..Sampling::default() };
            let mut writing = Continuation::new(&sampling);
            let mut text = String::new();
            let end = bytes.iter().find_map(|byte| {
                let written = writing.push(*byte);
                text += &written.text;
                written.end
            });
            (text, end)
        };
        assert_eq!(rest("abc", b"de", 5, &[]), ("de".into(), Some(FinishReason::Length)));
        assert_eq!(rest("ab\n", b"\ncd", 9, &["\n\n"]), (String::new(), Some(FinishReason::Stop)));
        assert_eq!(rest("ab\n", b"cd", 5, &["\n\n"]), ("cd".into(), Some(FinishReason::Length)), "not again");
        let full = Sampling { max_tokens: 3, begun: "abc".into(), ..Sampling::default() };
        assert_eq!(Continuation::new(&full).over(), Some(FinishReason::Length));
    }

    proptest! {
        #[test]
        fn nothing_is_lost_or_cut_within_a_character(text in "\\PC{1,40}") {
            let bytes = text.as_bytes();
            let written = write(bytes, u32::try_from(bytes.len()).unwrap(), &[]);
            prop_assert_eq!(written, (text, Some(FinishReason::Length)));
        }
    }
}
