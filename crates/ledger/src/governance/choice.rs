//! What a vote says.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// What a stake votes for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Choice {
    /// For the proposal.
    Yes,
    /// Against it.
    No,
    /// Neither; counts for the quorum.
    Abstain,
    /// Against it, and against its deposit: the proposal should not have been made.
    Veto,
}

/// Not the name of a choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a vote is yes, no, abstain or veto")]
pub struct ParseChoiceError;

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Yes => "yes",
            Self::No => "no",
            Self::Abstain => "abstain",
            Self::Veto => "veto",
        })
    }
}

impl FromStr for Choice {
    type Err = ParseChoiceError;

    fn from_str(text: &str) -> Result<Self, ParseChoiceError> {
        match text {
            "yes" => Ok(Self::Yes),
            "no" => Ok(Self::No),
            "abstain" => Ok(Self::Abstain),
            "veto" => Ok(Self::Veto),
            _ => Err(ParseChoiceError),
        }
    }
}

/// Shares of a node's pool whose stakers voted themselves, by choice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChoiceShares {
    /// For the proposal.
    #[serde(with = "crate::wide")]
    pub yes: u128,
    /// Against it.
    #[serde(with = "crate::wide")]
    pub no: u128,
    /// Neither.
    #[serde(with = "crate::wide")]
    pub abstain: u128,
    /// Against it and its deposit.
    #[serde(with = "crate::wide")]
    pub veto: u128,
}

impl ChoiceShares {
    /// The shares of one choice.
    pub(crate) fn of(&mut self, choice: Choice) -> &mut u128 {
        match choice {
            Choice::Yes => &mut self.yes,
            Choice::No => &mut self.no,
            Choice::Abstain => &mut self.abstain,
            Choice::Veto => &mut self.veto,
        }
    }
}
