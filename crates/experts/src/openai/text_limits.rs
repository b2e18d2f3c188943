//! What a request allows an answer to contain, applied whatever the upstream does: its stop strings and its number of tokens.

use nervure_protocol::{ExpertRequest, FinishReason};

use crate::stop::StopScanner;

/// The limits of one answer.
pub(super) struct TextLimits {
    stops: StopScanner,
    /// Pieces that may still come. A piece of a stream has at least one token, so that more of them are too many.
    pieces: u32,
    /// Why the answer ends here, once it does.
    pub(super) reached: Option<FinishReason>,
}

impl TextLimits {
    /// Those of `request`; a request for anything but text has none.
    pub(super) fn of(request: &ExpertRequest) -> Self {
        let sampling = match request {
            ExpertRequest::Complete { sampling, .. } | ExpertRequest::Chat { sampling, .. } => Some(sampling),
            ExpertRequest::Embed { .. } | ExpertRequest::Distribution { .. } => None,
        };
        let stops = sampling.map_or(&[][..], |sampling| &sampling.stop);
        // Where the asker left the number out, the upstream's own is the bound.
        let stated = sampling.filter(|sampling| !sampling.unset.max_tokens);
        let pieces = stated.map_or(u32::MAX, |sampling| sampling.max_tokens);
        Self { stops: StopScanner::new(stops), pieces, reached: None }
    }

    /// The part of the next piece of the answer that may go on. The beginning of what may become a stop string waits.
    pub(super) fn pass(&mut self, text: String) -> String {
        if text.is_empty() || self.is_reached() {
            return String::new();
        }
        if !self.count() {
            return text_of(self.stops.finish());
        }
        let mut passed = Vec::with_capacity(text.len());
        for byte in text.bytes() {
            let step = self.stops.push(byte);
            passed.extend(step.bytes);
            if step.stopped {
                self.reached = Some(FinishReason::Stop);
                break;
            }
        }
        text_of(passed)
    }

    /// Counts a piece; whether it may go on.
    pub(super) fn count(&mut self) -> bool {
        if self.is_reached() {
            return false;
        }
        // Not before one more comes: the end of a good answer follows its last piece, and says what it used.
        match self.pieces.checked_sub(1) {
            Some(left) => self.pieces = left,
            None => self.reached = Some(FinishReason::Length),
        }
        !self.is_reached()
    }

    /// What waited, for an answer that has ended by itself.
    pub(super) fn rest(&mut self) -> String {
        if self.is_reached() { String::new() } else { text_of(self.stops.finish()) }
    }

    /// Whether the answer ends here.
    pub(super) fn is_reached(&self) -> bool {
        self.reached.is_some()
    }
}

/// The scanner holds back whole characters only, because stop strings have whole ones.
fn text_of(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

#[cfg(test)]
mod tests {
    use nervure_protocol::Sampling;

    use super::*;

    fn limits(stop: &[&str], max_tokens: u32) -> TextLimits {
        let stop = stop.iter().map(|stop| (*stop).to_owned()).collect();
        let sampling = Sampling { stop, max_tokens, ..Sampling::default() };
        TextLimits::of(&ExpertRequest::Complete { prompt: String::new(), sampling })
    }

    fn passed(limits: &mut TextLimits, pieces: &[&str]) -> String {
        let text: String = pieces.iter().map(|piece| limits.pass((*piece).to_owned())).collect();
        text + &limits.rest()
    }

    #[test]
    fn a_stop_string_ends_the_answer_wherever_its_pieces_are_cut() {
        for pieces in [&["one STOP two"][..], &["one S", "TO", "P two"], &["one ", "STOP", " two"]] {
            let mut limits = limits(&["STOP"], 100);
            assert_eq!(passed(&mut limits, pieces), "one ");
            assert_eq!(limits.reached, Some(FinishReason::Stop));
        }
        let mut none = limits(&["STOP"], 100);
        assert_eq!(passed(&mut none, &["one é S", "TO"]), "one é STO", "what waited comes at the end");
        assert_eq!(none.reached, None);
    }

    #[test]
    fn no_more_pieces_pass_than_tokens_are_allowed() {
        let mut limits = limits(&["x"], 2);
        assert_eq!(passed(&mut limits, &["a", "", "b", "c"]), "ab", "an empty piece is no token");
        assert_eq!(limits.reached, Some(FinishReason::Length));
        assert!(!limits.count(), "nor pieces that are no text");
    }
}
