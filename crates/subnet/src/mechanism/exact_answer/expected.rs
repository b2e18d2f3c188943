//! The right answer, and when a miner's text gives it.
//!
//! Lenient in spelling: Markdown, thousands separators, quotes, brackets, several ways to write a date, words around a
//! number. Strict in meaning: only the last line counts, or what is marked as the answer, and two different marked answers
//! count as none.

use serde_json::Value;

use super::{calendar::Date, extract};
use crate::Dice;

/// A right answer.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Expected {
    /// A whole number.
    Number(i64),
    /// Words or numbers in this order.
    List(Vec<String>),
    /// A word; case does not matter.
    Word(String),
    /// A piece of text; case matters.
    Text(String),
    /// A JSON value; the order of keys and white space do not matter.
    Json(Value),
    /// A day.
    Day(Date),
}

impl Expected {
    /// Whether `text` gives this answer and no other.
    pub(super) fn is_answered_by(&self, text: &str) -> bool {
        let named = extract::answers(text);
        !named.is_empty() && named.iter().all(|answer| self.is(answer))
    }

    fn is(&self, answer: &str) -> bool {
        let line = || extract::line(answer);
        let said = || extract::sole_quoted(line()).unwrap_or_else(|| extract::unquoted(line()));
        match self {
            Self::Number(number) => {
                extract::number(line()).or_else(|| extract::sole_number(line())) == Some(*number)
            }
            Self::List(items) => extract::list(line()) == *items,
            Self::Word(word) => said().eq_ignore_ascii_case(word),
            Self::Text(text) => said() == text,
            Self::Json(value) => extract::json(answer).as_ref() == Some(value),
            Self::Day(date) => Date::parse(extract::unquoted(line())) == Some(*date),
        }
    }

    /// Whether a question has to say how the answer is to be written.
    pub(super) fn has_form(&self) -> bool {
        !matches!(self, Self::Number(_) | Self::Json(_))
    }

    /// What a question asks for.
    pub(super) fn form(&self, dice: &mut Dice) -> &'static str {
        let forms: &[&'static str] = match self {
            Self::Number(_) => &["the number", "the result", "the final number", "a number", "the figure"],
            Self::List(_) => {
                &["the items separated by commas", "a comma-separated list", "one line with commas"]
            }
            Self::Word(_) => &["the word", "one word", "the single word"],
            Self::Text(_) => &["the text itself", "the resulting string", "the result without quotes"],
            Self::Json(_) => &["the JSON", "valid JSON", "the resulting JSON"],
            Self::Day(_) => &["the date as YYYY-MM-DD", "an ISO date", "the date in the form 2024-03-05"],
        };
        dice.pick(forms).copied().unwrap_or_default()
    }

    /// The answer as a program would write it.
    #[cfg(test)]
    pub(super) fn spelled(&self) -> String {
        match self {
            Self::Number(number) => number.to_string(),
            Self::List(items) => items.join(", "),
            Self::Word(text) | Self::Text(text) => text.clone(),
            Self::Json(value) => value.to_string(),
            Self::Day(date) => date.to_string(),
        }
    }
}
