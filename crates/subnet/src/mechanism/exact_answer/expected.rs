//! The right answer, and when a miner's text gives it.
//!
//! Lenient in spelling: case of the marker, Markdown around it, thousands separators, quotes, brackets, several ways
//! to write a date. Strict in meaning: a text that names two different answers names none.

use serde_json::Value;

use super::{calendar::Date, extract};

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
        match self {
            Self::Number(number) => extract::number(line()) == Some(*number),
            Self::List(items) => extract::list(line()) == *items,
            Self::Word(word) => extract::unquoted(line()).eq_ignore_ascii_case(word),
            Self::Text(text) => extract::unquoted(line()) == text,
            Self::Json(value) => extract::json(answer).as_ref() == Some(value),
            Self::Day(date) => Date::parse(line()) == Some(*date),
        }
    }

    /// What a question asks for.
    pub(super) fn form(&self) -> &'static str {
        match self {
            Self::Number(_) => "just the number",
            Self::List(_) => "the items separated by commas",
            Self::Word(_) => "just the word",
            Self::Text(_) => "the text itself, without quotes",
            Self::Json(_) => "the JSON, without any comment after it",
            Self::Day(_) => "the date as YYYY-MM-DD",
        }
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
