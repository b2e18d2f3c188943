//! A completion question: a cell without its end, and how much of the end an answer finds.

use nervure_protocol::ExpertRequest;

use super::HIDDEN;
use crate::{
    mechanism::{Answer, Reply},
    task::QueryShape,
};

/// Fewest bytes that an answer may have.
const MIN_TOKENS: u32 = HIDDEN as u32;

/// Shortest prompt, in bytes: less says nothing about what follows.
const MIN_PROMPT_BYTES: usize = 16;

/// The end of a cell.
pub(super) struct Completion([u8; HIDDEN]);

impl Completion {
    /// The question about the end of a text, with the fields of a user's completion, its length too where the text is as
    /// long. None where the text before the end is not UTF-8, as a prompt has to be.
    pub(super) fn of(text: &[u8], shape: QueryShape) -> Option<(ExpertRequest, Self)> {
        let (before, hidden) = text.split_last_chunk::<HIDDEN>()?;
        let length = shape.bytes.max(MIN_PROMPT_BYTES).min(before.len());
        // Characters that the cell's beginning cuts are left out; one that its hidden end cuts cannot be shown.
        let shown = before.get(before.len() - length..)?;
        let start = shown.iter().position(|byte| !(0x80..0xC0).contains(byte))?;
        let prompt = std::str::from_utf8(shown.get(start..)?).ok()?.to_owned();
        let mut sampling = shape.sampling;
        sampling.max_tokens = sampling.max_tokens.max(MIN_TOKENS);
        // A stop string in the hidden end would cut a right answer.
        sampling
            .stop
            .retain(|stop| !hidden.windows(stop.len().max(1)).any(|window| window == stop.as_bytes()));
        Some((ExpertRequest::Complete { prompt, sampling }, Self(*hidden)))
    }

    /// How many of the hidden bytes an answer begins with.
    pub(super) fn found(&self, reply: &Reply) -> u64 {
        let Answer::Text(text) = reply.answer() else { return 0 };
        self.0.iter().zip(text.as_bytes()).take_while(|(hidden, said)| hidden == said).count() as u64
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use nervure_protocol::QueryKind;

    use super::*;
    use crate::{Dice, task::Traffic};

    fn shape(seed: u64) -> QueryShape {
        Traffic::default().draw(QueryKind::Complete, &mut Dice::new(seed.into()))
    }

    #[test]
    fn a_stop_string_that_comes_does_not_stop_the_answer() {
        let with = |stop: &str| {
            let mut shape = shape(1);
            shape.sampling.stop = vec![stop.into()];
            let (request, _) = Completion::of(b"the quick brown fox\n\nand", shape).unwrap();
            request.sampling().unwrap().stop.len()
        };
        assert_eq!((with("\n\n"), with("an"), with("###")), (1, 0, 1), "the end is `\\nand`");
    }

    #[test]
    fn an_answer_is_worth_the_bytes_that_it_finds() {
        let (request, completion) = Completion::of(b"the quick brown fox", shape(1)).unwrap();
        let ExpertRequest::Complete { prompt, sampling } = request else { panic!("another kind") };
        assert!("the quick brown".ends_with(&prompt) && prompt.len() == 15, "{prompt}");
        assert!(sampling.validate().is_ok());
        let found = |text: &str| completion.found(&Reply::new(Answer::Text(text.into()), Duration::ZERO));
        assert_eq!((found(" fox jumps"), found(" for"), found("fox"), found("")), (4, 3, 0, 0));
        assert_eq!(completion.found(&Reply::missing()), 0);
    }

    #[test]
    fn a_prompt_is_whole_characters() {
        let of = |cell: &[u8]| Completion::of(cell, shape(2)).is_some();
        assert!(of("\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}".as_bytes()));
        assert!(!of(&"a\u{e9}\u{e9}\u{e9}\u{e9}".as_bytes()[..8]), "the end cuts one");
        assert!(!of(&[0x80; 20]) && !of(b"abc"));
    }
}
