//! A question with its answer, and the words in which a question is put.
//!
//! Wording varies so that no pattern gives an answer away, and so that tasks look like what people write.

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
const OPENINGS: [&str; 8] = [
    "",
    "",
    "",
    "Hi! ",
    "Please help me with this. ",
    "Quick question: ",
    "I need this for a script. ",
    "One thing: ",
];

/// How an answer is to be named.
const CLOSINGS: [&str; 6] = [
    "Finish with a line that says \"Answer: \" and then",
    "On the last line, write \"Answer:\" followed by",
    "You may think aloud first, but end with a line \"Answer:\" and",
    "Put the result on a line of its own that starts with \"Answer:\", containing",
    "The last line of your reply should be \"Answer:\" plus",
    "Conclude with \"Answer:\" and, on the same line,",
];

impl Puzzle {
    /// Puts `question`, asking for an answer in the form that `expected` has.
    pub(super) fn new(dice: &mut Dice, question: &str, expected: Expected) -> Self {
        let opening = dice.pick(&OPENINGS).copied().unwrap_or_default();
        let closing = dice.pick(&CLOSINGS).copied().unwrap_or_default();
        let prompt = format!("{opening}{question} {closing} {}.", expected.form());
        Self { prompt, expected }
    }
}

/// One of `wordings`, with `{}` in it replaced by `what`.
pub(super) fn worded(dice: &mut Dice, wordings: &[&str], what: &str) -> String {
    dice.pick(wordings).copied().unwrap_or("{}").replace("{}", what)
}
