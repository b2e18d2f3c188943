//! Rejections about proposals of token holders.

use nervure_primitives::{BlockHeight, UntrustedText};
use serde::{Deserialize, Serialize};

use crate::governance::ProposalId;

/// Longest reason why a proposal could not take effect, in bytes.
const MAX_ACTION_REASON_BYTES: usize = 300;

/// Why a proposal or a vote on one does not count.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GovernanceRejection {
    /// A proposal without a title.
    #[error("a proposal has a title")]
    Untitled,
    /// All places of open proposals are taken.
    #[error("{most} proposals are open, the maximum")]
    TooManyProposals {
        /// The maximum.
        most: u16,
    },
    /// What is proposed could not take effect.
    #[error("the proposal could not take effect: {why}")]
    Action {
        /// Why.
        why: UntrustedText<MAX_ACTION_REASON_BYTES>,
    },
    /// A proposal that does not exist, or was closed long ago.
    #[error("there is no proposal {proposal}")]
    NoSuchProposal {
        /// Its number.
        proposal: ProposalId,
    },
    /// The votes were counted.
    #[error("the votes on proposal {proposal} were counted at block {ended}")]
    VotingOver {
        /// Its number.
        proposal: ProposalId,
        /// The block of the count.
        ended: BlockHeight,
    },
    /// No nodes, too many, or one twice.
    #[error("a vote names 1 to {most} nodes, each once")]
    VotedNodes {
        /// The maximum.
        most: u16,
    },
}

impl GovernanceRejection {
    /// The next step of a user at a terminal.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Untitled => "name it: --title TEXT",
            Self::TooManyProposals { .. } => "wait until one is counted: nervure proposal list",
            Self::Action { .. } => "the parameters now, and which can change: nervure proposal params",
            Self::NoSuchProposal { .. } | Self::VotingOver { .. } => {
                "list the proposals: nervure proposal list"
            }
            Self::VotedNodes { .. } => "vote several times, with other nodes each time: --node NODE",
        }
    }
}
