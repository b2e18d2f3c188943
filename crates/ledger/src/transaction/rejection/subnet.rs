//! Rejections about subnets, their slots and their rules.

use nervure_primitives::{Amount, BlockHeight, Netuid, NodeId};
use serde::{Deserialize, Serialize};

use crate::params::OutOfRange;

/// Why a subnet is not registered, joined, changed or voted on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SubnetRejection {
    /// A subnet that does not exist.
    #[error("subnet {netuid} does not exist")]
    NoSuchSubnet {
        /// Its number.
        netuid: Netuid,
    },
    /// Not a valid name.
    #[error("a name has 1 to 64 lower-case letters, digits and hyphens")]
    Name,
    /// Not a valid mechanism.
    #[error(
        "a mechanism has a name and at most 16 parameters; names have 1 to 32 lower-case letters, digits, hyphens and \
         underscores"
    )]
    Mechanism,
    /// The maximum number of subnets exists and all are immune, or all numbers are used.
    #[error("no place for another subnet: all existing subnets are still immune")]
    NoSubnetPlace,
    /// The node has a slot in the subnet.
    #[error("{node} is already registered in subnet {netuid}")]
    AlreadyThere {
        /// The node.
        node: NodeId,
        /// The subnet.
        netuid: Netuid,
    },
    /// The slot costs more than the signer's limit.
    #[error("a slot costs {price} tokens now, more than the limit")]
    Price {
        /// The price.
        price: Amount,
    },
    /// Every slot belongs to a neuron that cannot be pruned.
    #[error("subnet {netuid} is full, and none of its neurons can be pruned now")]
    NoSlot {
        /// The subnet.
        netuid: Netuid,
    },
    /// The subnet took as many neurons as it may in an interval.
    #[error(
        "subnet {netuid} took {most} neurons in this interval, the maximum; the next begins at block {from}"
    )]
    TooManyRegistrations {
        /// The subnet.
        netuid: Netuid,
        /// The maximum.
        most: u16,
        /// The first block of the next interval.
        from: BlockHeight,
    },
    /// The subnet accepts no registrations.
    #[error("registration in subnet {netuid} is closed by its owner")]
    Closed {
        /// The subnet.
        netuid: Netuid,
    },
    /// A subnet of another owner, or without one.
    #[error("the signer is not the owner of subnet {netuid}")]
    NotSubnetOwner {
        /// The subnet.
        netuid: Netuid,
    },
    /// A hyperparameter outside of its limits.
    #[error(transparent)]
    Hyperparameter(#[from] OutOfRange),
    /// The hyperparameter was changed too recently.
    #[error("this hyperparameter can be changed again at block {from}")]
    HyperparameterTooSoon {
        /// The first block at which it can.
        from: BlockHeight,
    },
    /// The node voted too recently.
    #[error("the node can vote again at block {from}")]
    VoteTooSoon {
        /// The first block at which it can.
        from: BlockHeight,
    },
}

impl SubnetRejection {
    /// The next step of a user at a terminal.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::NoSuchSubnet { .. } => "list the subnets: nervure subnet list",
            Self::Closed { .. } => "register in another subnet: nervure subnet list",
            Self::Name => "choose another name, such as my-subnet-2",
            Self::Mechanism => "the mechanisms and their parameters are in docs/mechanisms.md",
            Self::NoSubnetPlace => "wait until a subnet is no longer immune: nervure subnet list",
            Self::AlreadyThere { .. } | Self::NoSlot { .. } => "list its neurons: nervure subnet show N",
            Self::Price { .. } => "raise the limit, or wait: the price falls with every block",
            Self::NotSubnetOwner { .. } => {
                "sign with the owner's key: --key FILE; nervure subnet show N names the owner"
            }
            Self::Hyperparameter(_) => "the limits are in docs/ledger.md, \"Hyperparameters\"",
            Self::TooManyRegistrations { .. }
            | Self::HyperparameterTooSoon { .. }
            | Self::VoteTooSoon { .. } => "wait for that block; the current one: nervure status",
        }
    }
}
