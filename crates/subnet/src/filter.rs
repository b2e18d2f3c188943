//! Filters over record fields: `context >= 4096 and price <= 5 and not model ~ "tiny"`.
//!
//! ```text
//! filter     = all { "or" all }
//! all        = one { "and" one }
//! one        = "not" one | "(" filter ")" | comparison
//! comparison = number-field ("=" | "!=" | "<" | "<=" | ">" | ">=") number
//!            | text-field ("=" | "!=" | "~") text        ~ means contains
//!            | "byte_level"
//! ```
//!
//! A filter may come from an untrusted client: its length and depth are bounded, and so is the work to apply it. A
//! filter that compares a number with a text does not parse.

mod parse;

use std::str::FromStr;

use nervure_protocol::{ExpertRecord, bounds::MAX_FILTER};

/// Longest filter, in bytes.
pub const MAX_FILTER_LEN: usize = MAX_FILTER;

/// A condition on expert records.
///
/// ```
/// use nervure_subnet::Filter;
///
/// assert!(r#"context >= 4096 and not model ~ "tiny""#.parse::<Filter>().is_ok());
/// let source = "price <= 5 and colour = 1";
/// let error = source.parse::<Filter>().unwrap_err();
/// assert!(error.render(source).ends_with('^'));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter(Node);

/// Why a text is not a valid filter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("column {column}: {message}")]
pub struct FilterError {
    /// The column of the error, in characters from 1.
    pub column: usize,
    /// The error, such as what was expected there.
    pub message: String,
}

impl FilterError {
    /// `source` with a `^` under the column.
    pub fn render(&self, source: &str) -> String {
        format!("{source}\n{:>column$}", '^', column = self.column)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Node {
    Or(Vec<Node>),
    And(Vec<Node>),
    Not(Box<Node>),
    Number { field: NumberField, order: Order, value: u64 },
    Text { field: TextField, how: Match, value: String },
    ByteLevel,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum NumberField {
    Context,
    MaxOutput,
    Price,
    Load,
    Netuid,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TextField {
    Model,
    Capability,
    Expert,
    Node,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    Equal,
    NotEqual,
    Less,
    AtMost,
    More,
    AtLeast,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Match {
    Equal,
    NotEqual,
    Contains,
}

impl Filter {
    /// Whether `record` passes.
    pub fn matches(&self, record: &ExpertRecord) -> bool {
        self.0.matches(record)
    }
}

impl FromStr for Filter {
    type Err = FilterError;

    fn from_str(text: &str) -> Result<Self, FilterError> {
        // Before parsing: the length bounds the depth of the tree and the work of each match.
        if text.len() > MAX_FILTER_LEN {
            let message = format!("a filter has at most {MAX_FILTER_LEN} bytes");
            return Err(FilterError { column: MAX_FILTER_LEN + 1, message });
        }
        parse::filter(text).map(Self)
    }
}

impl Node {
    fn matches(&self, record: &ExpertRecord) -> bool {
        match self {
            Self::Or(nodes) => nodes.iter().any(|node| node.matches(record)),
            Self::And(nodes) => nodes.iter().all(|node| node.matches(record)),
            Self::Not(node) => !node.matches(record),
            Self::Number { field, order, value } => order.holds(field.of(record), *value),
            Self::Text { field, how, value } => how.holds(&field.of(record), value),
            Self::ByteLevel => record.byte_level,
        }
    }
}

impl NumberField {
    fn of(self, record: &ExpertRecord) -> u64 {
        match self {
            Self::Context => record.context.into(),
            Self::MaxOutput => record.max_output.into(),
            Self::Price => record.price,
            Self::Load => record.load.into(),
            Self::Netuid => record.netuid.0.into(),
        }
    }
}

impl TextField {
    fn of(self, record: &ExpertRecord) -> String {
        match self {
            Self::Model => record.model.raw().to_owned(),
            Self::Capability => record.capability.to_string(),
            Self::Expert => record.expert.clone(),
            Self::Node => record.node.to_string(),
        }
    }
}

impl Order {
    fn holds(self, left: u64, right: u64) -> bool {
        match self {
            Self::Equal => left == right,
            Self::NotEqual => left != right,
            Self::Less => left < right,
            Self::AtMost => left <= right,
            Self::More => left > right,
            Self::AtLeast => left >= right,
        }
    }
}

impl Match {
    fn holds(self, left: &str, right: &str) -> bool {
        match self {
            Self::Equal => left == right,
            Self::NotEqual => left != right,
            Self::Contains => left.contains(right),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use nervure_protocol::testing::record;

    fn passes(filter: &str) -> bool {
        filter.parse::<Filter>().unwrap().matches(&record(1, "r1", "text.generate.rust"))
    }

    fn error(filter: &str) -> FilterError {
        filter.parse::<Filter>().unwrap_err()
    }

    #[test]
    fn conditions_hold_or_not() {
        for filter in [
            "context >= 256",
            "context>=256 and price<=5",
            "price = 0 or price > 100",
            "not context < 256",
            "model ~ \"rust\"",
            "byte_level",
            "not (context < 1 or not byte_level)",
            "capability = \"text.generate.rust\" and expert != \"r2\"",
            "netuid = 1 and load < 1 and max_output = 4096",
            "price > 0 and price < 0 or byte_level",
        ] {
            assert!(passes(filter), "{filter}");
        }
        for filter in
            ["context > 256", "not byte_level", "model = \"rust\"", "byte_level and (price > 0 or load > 0)"]
        {
            assert!(!passes(filter), "{filter}");
        }
    }

    #[test]
    fn errors_point_at_the_column() {
        assert_eq!(error("context >= ").column, 12);
        assert_eq!(error("context >= 4096 and prize <= 5").column, 21);
        assert!(error("prize <= 5").message.contains("price"), "the fields are listed");
        assert_eq!(error("price = \"x\"").column, 9);
        assert_eq!(error("model = 5").column, 9);
        assert_eq!(error("model > \"x\"").column, 7);
        assert_eq!(error("(price = 1").column, 11);
        assert_eq!(error("price = 1 price = 2").column, 11);
        assert_eq!(error("").column, 1);
        assert_eq!(error("price = 99999999999999999999999").column, 9);
        assert_eq!(error("price =").render("price ="), "price =\n       ^");
    }

    #[test]
    fn length_and_depth_are_bounded() {
        assert_eq!(error(&"x".repeat(513)).column, 513);
        assert!(error(&format!("{}byte_level{}", "(".repeat(200), ")".repeat(200))).message.contains("deep"));
        assert!(error(&format!("{}byte_level", "not ".repeat(100))).message.contains("deep"));
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,80}") {
            let _ = text.parse::<Filter>();
        }

        #[test]
        fn no_words_make_it_panic(words in proptest::collection::vec(
            prop_oneof!["context", "model", "byte_level", "and", "or", "not", "\\(", "\\)", ">=", "~", "\"a\"", "5"], 0..20
        )) {
            let _ = words.join(" ").parse::<Filter>();
        }
    }
}
