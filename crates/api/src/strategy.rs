//! The strategy of a query, and its text form in flags, fields and headers.

use std::{fmt, num::NonZeroU8, str::FromStr};

use nervure_primitives::Excerpt;
use serde::{Deserialize, Serialize};

/// Maximum number of experts that work on one query at once; each may be paid for it.
pub const MAX_EXPERTS: u8 = 8;

/// How experts are chosen. As text: `best`, `hedge`, or `race`, `vote`, `average`, `mix` with a number of experts, such
/// as `race:3`.
///
/// ```
/// use nervure_api::Strategy;
///
/// assert_eq!("race:3".parse::<Strategy>()?.width(), 3);
/// assert_eq!(Strategy::Best.to_string(), "best");
/// assert!("race:9".parse::<Strategy>().is_err());
/// # Ok::<(), nervure_api::StrategyError>(())
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(try_from = "String", into = "String")]
pub enum Strategy {
    /// The first of the ranking, with failover to the next until one begins to answer.
    #[default]
    Best,
    /// As `Best`, and the next expert is asked too when the first one is slower than 95 % of its answers were.
    Hedge,
    /// The first answer of this many wins and the others are cancelled. From 2 to [`MAX_EXPERTS`], as in all below.
    Race(NonZeroU8),
    /// This many give whole answers; the answer with the most trust wins.
    Vote(NonZeroU8),
    /// This many give vectors; the answer is their mean direction.
    Average(NonZeroU8),
    /// This many byte-level experts write one text together, byte by byte.
    Mix(NonZeroU8),
}

/// A text that is not a valid [`Strategy`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{0}' is not a valid strategy: write best, hedge, race:N, vote:N, average:N or mix:N with N from 2 to {MAX_EXPERTS}"
)]
pub struct StrategyError(Excerpt);

impl Strategy {
    /// The number of experts that work at once.
    pub fn width(self) -> usize {
        match self {
            Self::Best | Self::Hedge => 1,
            Self::Race(experts) | Self::Vote(experts) | Self::Average(experts) | Self::Mix(experts) => {
                usize::from(experts.get())
            }
        }
    }

    /// Its name without the number.
    fn name(self) -> &'static str {
        match self {
            Self::Best => "best",
            Self::Hedge => "hedge",
            Self::Race(_) => "race",
            Self::Vote(_) => "vote",
            Self::Average(_) => "average",
            Self::Mix(_) => "mix",
        }
    }
}

impl FromStr for Strategy {
    type Err = StrategyError;

    fn from_str(text: &str) -> Result<Self, StrategyError> {
        let bad = || StrategyError(text.into());
        let (name, experts) = match text.split_once(':') {
            Some((name, experts)) => (name, Some(experts.parse::<u8>().map_err(|_| bad())?)),
            None => (text, None),
        };
        let strategy: fn(NonZeroU8) -> Self = match (name, experts) {
            ("best", None) => return Ok(Self::Best),
            ("hedge", None) => return Ok(Self::Hedge),
            ("race", _) => Self::Race,
            ("vote", _) => Self::Vote,
            ("average", _) => Self::Average,
            ("mix", _) => Self::Mix,
            _ => return Err(bad()),
        };
        // With two votes that differ there is no majority.
        let usual = if name == "vote" { 3 } else { 2 };
        let experts =
            NonZeroU8::new(experts.unwrap_or(usual)).filter(|n| (2..=MAX_EXPERTS).contains(&n.get()));
        experts.map(strategy).ok_or_else(bad)
    }
}

impl fmt::Display for Strategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Best | Self::Hedge => f.write_str(self.name()),
            Self::Race(_) | Self::Vote(_) | Self::Average(_) | Self::Mix(_) => {
                write!(f, "{}:{}", self.name(), self.width())
            }
        }
    }
}

impl TryFrom<String> for Strategy {
    type Error = StrategyError;

    fn try_from(text: String) -> Result<Self, StrategyError> {
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
        for text in ["best", "hedge", "race:2", "race:8", "vote:3", "average:2", "mix:4"] {
            assert_eq!(text.parse::<Strategy>().unwrap().to_string(), text);
        }
        assert_eq!("race".parse::<Strategy>().unwrap().width(), 2);
        assert_eq!("vote".parse::<Strategy>().unwrap().width(), 3);
        let bad = [
            "", "Best", "best:1", "hedge:2", "race:", "race:0", "race:1", "mix:9", "vote:256", "race:-2",
            "ensemble",
        ];
        for bad in bad {
            assert!(bad.parse::<Strategy>().is_err(), "{bad}");
        }
    }
}
