//! How far back a node keeps blocks: all of them, or the last so many.

use std::{num::NonZeroU64, str::FromStr};

use nervure_store::History;
use serde::{Deserialize, Deserializer, de::Error};

/// The fewest blocks that a node keeps unless its operator says otherwise: where unbonding is short, a node that was off
/// for some hours still finds them.
const MIN_DEFAULT_BLOCKS: NonZeroU64 = NonZeroU64::MIN.saturating_add(9_999);

/// An operator's choice, written `archive` or as a number of blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HistorySetting(pub History);

/// Neither `archive` nor a number.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not a history: write archive, or how many blocks are kept, at least 1")]
pub struct ParseHistoryError(String);

impl HistorySetting {
    /// What a node keeps if its operator does not say: the time until unstaked tokens are free, by the rules of its last block,
    /// which token holders can change.
    pub const DEFAULT: Self = Self(History::Unbonding(MIN_DEFAULT_BLOCKS));
}

impl FromStr for HistorySetting {
    type Err = ParseHistoryError;

    fn from_str(text: &str) -> Result<Self, ParseHistoryError> {
        match text {
            "archive" => Ok(Self(History::Archive)),
            text => match text.parse() {
                Ok(blocks) => Ok(Self(History::Last(blocks))),
                Err(_) => Err(ParseHistoryError(text.to_owned())),
            },
        }
    }
}

/// `"archive"`, `"5000"` or `5000`.
#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    Number(u64),
    Text(String),
}

impl<'de> Deserialize<'de> for HistorySetting {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = match Written::deserialize(deserializer)? {
            Written::Number(number) => number.to_string(),
            Written::Text(text) => text,
        };
        text.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use nervure_ledger::params::Params;

    use super::*;
    use crate::config::Settings;

    fn last(blocks: u64) -> HistorySetting {
        HistorySetting(History::Last(NonZeroU64::new(blocks).unwrap()))
    }

    #[test]
    fn reads_archive_and_a_number_of_blocks_and_nothing_else() {
        assert_eq!("archive".parse(), Ok(HistorySetting(History::Archive)));
        assert_eq!("5000".parse(), Ok(last(5_000)));
        for bad in ["", "0", "-1", "all", "5k"] {
            assert!(
                bad.parse::<HistorySetting>().unwrap_err().to_string().contains("write archive"),
                "{bad}"
            );
        }
        let file = |text: &str| Settings::parse(text).map(|settings| settings.history);
        assert_eq!(file("history = \"archive\""), Ok(Some(HistorySetting(History::Archive))));
        assert_eq!(file("history = 5000"), Ok(Some(last(5_000))));
        assert!(file("history = 0").unwrap_err().to_string().contains("write archive"));
    }

    #[test]
    fn keeps_at_least_the_unbonding_by_default() {
        let HistorySetting(default) = HistorySetting::DEFAULT;
        assert_eq!(default.blocks(&Params::default()), Some(151_200));
        assert_eq!(default.blocks(&Params::local()), Some(MIN_DEFAULT_BLOCKS.get()));
        let voted = Params { unbonding: 300_000, ..Params::default() };
        assert_eq!(default.blocks(&voted), Some(300_000), "what token holders changed");
    }
}
