//! Solutions: their text, and wrong solutions of the same form.

use std::fmt;

use serde_json::Value;
use time::{Date, Duration};

/// A solution.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Solution {
    /// A whole number.
    Number(i64),
    /// Items in order.
    Items(Vec<String>),
    /// A day of the week.
    Weekday(time::Weekday),
    /// A piece of text.
    Text(String),
    /// A JSON value.
    Json(Value),
    /// A day.
    Day(Date),
}

impl Solution {
    /// A wrong solution of the same form; `seed` decides how far off a number or a date is.
    pub(super) fn corrupted(self, seed: u64) -> Self {
        let offset = i64::try_from(seed % 9).unwrap_or(0) + 1;
        match self {
            Self::Number(number) => Self::Number(number.checked_add(offset).unwrap_or(0)),
            Self::Items(mut items) => {
                items.pop();
                Self::Items(items)
            }
            Self::Weekday(day) => Self::Weekday(day.next()),
            Self::Text(text) => Self::Text(text + "e"),
            Self::Json(Value::Array(mut items)) => {
                if items.pop().is_none() {
                    items.push("none".into());
                }
                Self::Json(Value::Array(items))
            }
            Self::Json(Value::Object(mut fields)) => {
                let first = fields.keys().next().cloned();
                match first {
                    Some(key) => fields.remove(&key),
                    None => fields.insert("none".into(), Value::Null),
                };
                Self::Json(Value::Object(fields))
            }
            Self::Json(_) => Self::Json(Value::Null),
            Self::Day(day) => Self::Day(day.saturating_add(Duration::days(offset))),
        }
    }
}

impl fmt::Display for Solution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Items(items) => f.write_str(&items.join(", ")),
            Self::Weekday(day) => write!(f, "{day}"),
            Self::Text(text) => f.write_str(text),
            Self::Json(value) => write!(f, "{value}"),
            Self::Day(day) => write!(f, "{:04}-{:02}-{:02}", day.year(), u8::from(day.month()), day.day()),
        }
    }
}
