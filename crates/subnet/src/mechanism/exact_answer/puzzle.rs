//! A question with its answer, and the words in which a question is put.
//!
//! Wording is put together from parts, so that no line of it is in every question, and the form in which an answer is
//! wanted is often left open, as people leave it.

use super::Expected;
use crate::Dice;

/// Makes questions of one kind.
pub(super) type Kind = fn(&mut Dice) -> Puzzle;

/// A question and its answer.
#[derive(Debug)]
pub(super) struct Puzzle {
    /// What is asked.
    pub(super) prompt: String,
    /// What is right.
    pub(super) expected: Expected,
}

/// What a question may begin with.
const OPENINGS: [&str; 16] = [
    "",
    "",
    "",
    "",
    "",
    "",
    "Hi! ",
    "hey, ",
    "Please help me with this. ",
    "Quick question: ",
    "I need this for a script. ",
    "One thing: ",
    "Sorry to bother you again. ",
    "My colleague and I disagree. ",
    "ok next one: ",
    "I am stuck here. ",
];

/// How a form is asked for. `{}` is the form.
const REQUESTS: [&str; 14] = [
    "Reply with {} only.",
    "Just {}, please.",
    "I only need {}.",
    "No explanation, just {}.",
    "Give me {} and nothing else.",
    "Please answer with {}.",
    "{} is all I need.",
    "Only {}.",
    "just {} pls",
    "I will paste your reply somewhere, so write {} and no other text.",
    "Keep it short: {}.",
    "Return {}.",
    "Output: {}.",
    "What I want back is {}.",
];

/// How a form is asked for together with reasons: the answer then stands in the last line.
const REASONED: [&str; 5] = [
    "Think it through and finish with {} on the last line.",
    "Explain briefly, then {} on a line of its own at the end.",
    "You can show your work, but end with {} alone in the last line.",
    "Step by step please. Last line: {}.",
    "Show how you got there, with {} as the final line.",
];

impl Puzzle {
    /// Puts `question`, asking for an answer in the form that `expected` has.
    pub(super) fn new(dice: &mut Dice, question: &str, expected: Expected) -> Self {
        let opening = dice.pick(&OPENINGS).copied().unwrap_or_default();
        let form = expected.form(dice);
        let closing = match dice.below(10) {
            // Where the form matters it is always said.
            0..3 if !expected.has_form() => String::new(),
            0..7 => worded(dice, &REQUESTS, form),
            _ => worded(dice, &REASONED, form),
        };
        let between = match (closing.is_empty(), dice.below(4)) {
            (true, _) => "",
            (false, 0) => "\n\n",
            (false, 1) => "\n",
            (false, _) => " ",
        };
        Self { prompt: format!("{opening}{question}{between}{closing}"), expected }
    }
}

/// One of `wordings`, with `{}` in it replaced by `what`.
pub(super) fn worded(dice: &mut Dice, wordings: &[&str], what: &str) -> String {
    dice.pick(wordings).copied().unwrap_or("{}").replace("{}", what)
}
