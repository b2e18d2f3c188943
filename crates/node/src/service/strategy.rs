//! How experts are chosen, and how that is written in flags, fields and headers.

use std::{fmt, num::NonZeroU8, str::FromStr};

use serde::{Deserialize, Serialize};

/// Most experts that race; each one works, and may be paid, for one answer.
pub(crate) const MAX_RACE: u8 = 8;

/// Racers of a plain `race`.
const DEFAULT_RACE: u8 = 2;

/// How experts are chosen. Written `best`, `race` (two experts) or `race:3`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) enum Strategy {
    /// The first of the ranking, with failover to the next until one begins to answer.
    #[default]
    Best,
    /// The first answer of this many wins and the others are cancelled. From 2 to [`MAX_RACE`].
    Race(NonZeroU8),
}

/// A text that is no [`Strategy`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no strategy: write best, race, or race:N with N from 2 to {MAX_RACE}")]
pub(crate) struct BadStrategy(String);

impl Strategy {
    /// How many experts work at once.
    pub(crate) fn width(self) -> usize {
        match self {
            Self::Best => 1,
            Self::Race(racers) => usize::from(racers.get()),
        }
    }
}

impl FromStr for Strategy {
    type Err = BadStrategy;

    fn from_str(text: &str) -> Result<Self, BadStrategy> {
        let bad = || BadStrategy(text.chars().take(40).collect());
        let racers = match text {
            "best" => return Ok(Self::Best),
            "race" => DEFAULT_RACE,
            _ => text.strip_prefix("race:").and_then(|k| k.parse().ok()).ok_or_else(bad)?,
        };
        match NonZeroU8::new(racers) {
            Some(k) if (2..=MAX_RACE).contains(&racers) => Ok(Self::Race(k)),
            _ => Err(bad()),
        }
    }
}

impl fmt::Display for Strategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Best => f.write_str("best"),
            Self::Race(racers) => write!(f, "race:{racers}"),
        }
    }
}

impl TryFrom<String> for Strategy {
    type Error = BadStrategy;

    fn try_from(text: String) -> Result<Self, BadStrategy> {
        text.parse()
    }
}

impl From<Strategy> for String {
    fn from(strategy: Strategy) -> Self {
        strategy.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes_and_nothing_else() {
        for text in ["best", "race:2", "race:8"] {
            assert_eq!(text.parse::<Strategy>().unwrap().to_string(), text);
        }
        assert_eq!("race".parse::<Strategy>().unwrap().width(), 2);
        for bad in ["", "Best", "race:", "race:0", "race:1", "race:9", "race:256", "race:-2", "ensemble"] {
            assert!(bad.parse::<Strategy>().is_err(), "{bad}");
        }
    }
}
