//! Why the ledger rejects a transaction: one enum for each subject. On the wire they are one, by the names of their
//! variants.

mod call;
mod flat;
mod funds;
mod governance;
mod inclusion;
mod node;
mod proxy;
mod stake;
mod subnet;
mod validator;
mod weights;

use std::fmt;

use nervure_consensus::statement::EquivocationError;
use nervure_primitives::{EnvelopeError, UntrustedText};
use serde::Serialize;

pub use call::CallRejection;
pub use funds::FundsRejection;
pub use governance::GovernanceRejection;
pub use inclusion::InclusionRejection;
pub use node::{NodeRejection, NodeUse};
pub use proxy::ProxyRejection;
pub use stake::StakeRejection;
pub use subnet::SubnetRejection;
pub use validator::ValidatorRejection;
pub use weights::WeightsRejection;

use crate::{params::OutOfRange, state::ActionError};

/// Longest reason in a rejection, in bytes: a decoder quotes the names of fields that the sender chose.
const MAX_REASON_BYTES: usize = 200;

/// Why a transaction is rejected. In a block, it then changed nothing but its nonce and what was paid for it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize)]
#[serde(untagged)]
pub enum Rejection {
    /// It is kept out of blocks.
    #[error(transparent)]
    Inclusion(#[from] InclusionRejection),
    /// About balances.
    #[error(transparent)]
    Funds(#[from] FundsRejection),
    /// About a node.
    #[error(transparent)]
    Node(#[from] NodeRejection),
    /// About stake.
    #[error(transparent)]
    Stake(#[from] StakeRejection),
    /// About a subnet.
    #[error(transparent)]
    Subnet(#[from] SubnetRejection),
    /// About weights.
    #[error(transparent)]
    Weights(#[from] WeightsRejection),
    /// About who makes blocks.
    #[error(transparent)]
    Validator(#[from] ValidatorRejection),
    /// About a proposal.
    #[error(transparent)]
    Governance(#[from] GovernanceRejection),
    /// About a call inside of another one.
    #[error(transparent)]
    Call(#[from] CallRejection),
}

impl Rejection {
    /// The next step of a user at a terminal.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Inclusion(rejection) => rejection.hint(),
            Self::Funds(rejection) => rejection.hint(),
            Self::Node(rejection) => rejection.hint(),
            Self::Stake(rejection) => rejection.hint(),
            Self::Subnet(rejection) => rejection.hint(),
            Self::Weights(rejection) => rejection.hint(),
            Self::Validator(rejection) => rejection.hint(),
            Self::Governance(rejection) => rejection.hint(),
            Self::Call(rejection) => rejection.hint(),
        }
    }

    /// An envelope that could not be opened, or a transaction that no state makes valid.
    pub(super) fn malformed(error: impl fmt::Display) -> Self {
        InclusionRejection::Malformed { why: UntrustedText::new(error) }.into()
    }

    /// Two statements that prove nothing.
    pub(crate) fn evidence(error: &EquivocationError) -> Self {
        ValidatorRejection::Evidence { why: UntrustedText::new(error) }.into()
    }

    /// A proposal that could not take effect.
    pub(crate) fn action(error: &ActionError) -> Self {
        GovernanceRejection::Action { why: UntrustedText::new(error) }.into()
    }

    /// A consent that could not be opened.
    pub(super) fn consent(error: &EnvelopeError) -> Self {
        NodeRejection::Consent { why: UntrustedText::new(error) }.into()
    }
}

impl From<ProxyRejection> for Rejection {
    fn from(rejection: ProxyRejection) -> Self {
        CallRejection::from(rejection).into()
    }
}

impl From<OutOfRange> for Rejection {
    fn from(error: OutOfRange) -> Self {
        SubnetRejection::from(error).into()
    }
}
