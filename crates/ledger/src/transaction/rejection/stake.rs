//! Rejections about stake.

use nervure_primitives::{Amount, NodeId};
use serde::{Deserialize, Serialize};

/// Why stake is not added, removed or moved.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StakeRejection {
    /// The remaining stake on the node would be too small.
    #[error("a stake is either zero or at least {least} tokens")]
    StakeTooSmall {
        /// The least stake.
        least: Amount,
    },
    /// What was staked on the node is worth nothing any more, so that no share of it can be priced.
    #[error("the stake on {node} was lost: it takes no more")]
    StakeLost {
        /// The node.
        node: NodeId,
    },
    /// More than was staked.
    #[error("the stake is only {staked} tokens")]
    NotStaked {
        /// The stake.
        staked: Amount,
    },
    /// The stake is on that node already.
    #[error("the stake is on {node} already")]
    SameNode {
        /// The node.
        node: NodeId,
    },
    /// Stake that was moved lately and still answers for the node that it was on.
    #[error(
        "{bound} tokens of this stake were moved here, and stay until they answer for their former node no more"
    )]
    StakeBound {
        /// How much is bound.
        bound: Amount,
    },
    /// An amount of stake that is not worth a record.
    #[error("at least {least} tokens are removed or moved at a time")]
    UnstakeTooSmall {
        /// The existential deposit.
        least: Amount,
    },
}

impl StakeRejection {
    /// The next step of a user at a terminal.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::StakeTooSmall { .. } | Self::NotStaked { .. } => "see the stakes: nervure wallet show",
            Self::StakeLost { .. } => "stake on another node: nervure subnet show N lists them",
            Self::SameNode { .. } => "name another node: nervure validator show",
            Self::StakeBound { .. } => "nervure wallet show says from which block on it is free",
            Self::UnstakeTooSmall { .. } => {
                "name more, or `all`; a stake below that has to grow first: nervure stake add NODE AMOUNT"
            }
        }
    }
}
