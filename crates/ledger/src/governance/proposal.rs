//! What is proposed, and what became of it.

use std::{fmt, num::ParseIntError, str::FromStr};

use nervure_primitives::{Amount, Hash, NodeId, UntrustedText};
use serde::{Deserialize, Serialize};

use super::{ParameterValue, Tally, Verdict, VoteRules};
use crate::upgrade::Upgrade;

/// Most parameters that one proposal changes.
pub const MAX_CHANGES: usize = 32;

/// Longest title of a proposal, in bytes.
const MAX_TITLE_BYTES: usize = 100;

/// Longest address of a proposal's document, in bytes.
const MAX_URL_BYTES: usize = 300;

/// Longest reason of a proposal that could not take effect, in bytes.
pub(crate) const MAX_REASON_BYTES: usize = 300;

/// What a proposal is called.
pub type ProposalTitle = UntrustedText<MAX_TITLE_BYTES>;

/// Where a proposal is explained.
pub type ProposalUrl = UntrustedText<MAX_URL_BYTES>;

/// The number of a proposal: given at its submission, never used twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct ProposalId(pub u64);

impl fmt::Display for ProposalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for ProposalId {
    type Err = ParseIntError;

    fn from_str(text: &str) -> Result<Self, ParseIntError> {
        text.parse().map(Self)
    }
}

/// What a proposal does when it takes effect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Nothing: it says what stake thinks of a text.
    Text,
    /// Changes parameters.
    Params {
        /// Their new values.
        values: Vec<ParameterValue>,
    },
    /// Schedules another version of the rules.
    Upgrade {
        /// From which height on which version is active.
        upgrade: Upgrade,
    },
    /// Pays from the treasury.
    Payment {
        /// The recipient's owner key.
        to: NodeId,
        /// How much.
        amount: Amount,
    },
}

/// Where a proposal is explained.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Document {
    /// Its address.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub url: ProposalUrl,
    /// The SHA-256 of its bytes: what stake voted on, whatever the address serves later.
    pub sha256: Hash,
}

/// What became of a proposal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ProposalStatus {
    /// Stake votes until [`Proposal::ends`].
    Voting,
    /// It passed and waits.
    Passed {
        /// The block at whose end it takes effect.
        effective: u64,
    },
    /// Stake refused it.
    Refused {
        /// Why.
        verdict: Verdict,
    },
    /// It took effect.
    Done {
        /// At the end of which block.
        block: u64,
    },
    /// It passed, and could not take effect: what it relies on had changed. Why is in the events of the block: a text in the
    /// state would be another state as soon as a program has other words.
    Failed {
        /// At the end of which block.
        block: u64,
    },
}

/// A proposal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Proposal {
    /// Who proposed it and gets the deposit back.
    pub proposer: NodeId,
    /// What it is called.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub title: ProposalTitle,
    /// Where it is explained.
    pub document: Option<Document>,
    /// What it does.
    pub action: Action,
    /// What is held back; nothing after the count.
    pub deposit: Amount,
    /// The block of its submission.
    pub submitted: u64,
    /// The block at whose end the votes are counted.
    pub ends: u64,
    /// The rules of the count.
    pub rules: VoteRules,
    /// What became of it.
    pub status: ProposalStatus,
    /// The count, once it is made.
    pub tally: Option<Tally>,
}

impl Proposal {
    /// Whether it is voted on or waits for its effect.
    pub const fn is_open(&self) -> bool {
        matches!(self.status, ProposalStatus::Voting | ProposalStatus::Passed { .. })
    }
}

impl fmt::Display for Action {
    /// Completes "it": `changes min_base_fee to 400`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text => f.write_str("changes nothing by itself"),
            Self::Params { values } => {
                let each: Vec<String> =
                    values.iter().map(|one| format!("{} to {}", one.name, one.value)).collect();
                write!(f, "changes {}", each.join(", "))
            }
            Self::Upgrade { upgrade } => {
                write!(f, "activates version {} of the rules at block {}", upgrade.version, upgrade.height)
            }
            Self::Payment { to, amount } => write!(f, "pays {amount} tokens from the treasury to {to}"),
        }
    }
}
