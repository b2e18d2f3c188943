//! Rejections about weights.

use nervure_primitives::{Amount, BlockHeight, Netuid, Uid};
use serde::{Deserialize, Serialize};

/// Why weights are not set, committed or revealed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WeightsRejection {
    /// The signing node has no slot in the subnet.
    #[error("the signing node is not registered in subnet {netuid}")]
    NotThere {
        /// The subnet.
        netuid: Netuid,
    },
    /// More weights than there are neurons.
    #[error("{given} weights for only {most} neurons")]
    TooManyWeights {
        /// Number of weights.
        given: usize,
        /// Number of neurons.
        most: usize,
    },
    /// Too little stake to set weights.
    #[error("setting weights requires a stake of {least} tokens")]
    WeightStake {
        /// The least stake.
        least: Amount,
    },
    /// Weights with an old version key.
    #[error("the weights have version {given}, but at least {least} is required")]
    Version {
        /// The least version key.
        least: u64,
        /// The given one.
        given: u64,
    },
    /// Weights of a node without a validator permit.
    #[error("the node has no validator permit")]
    NoPermit,
    /// Two weights for one uid or subnet.
    #[error("a uid or subnet occurs twice")]
    Duplicate,
    /// A uid that does not exist.
    #[error("uid {uid} does not exist")]
    NoSuchUid {
        /// The uid.
        uid: Uid,
    },
    /// Fewer weights than the least number.
    #[error("at least {least} weights are required")]
    TooFewWeights {
        /// The least number.
        least: usize,
    },
    /// A second commit in an epoch.
    #[error("the node has already committed weights in epoch {epoch}: the first commit counts")]
    AlreadyCommitted {
        /// The current epoch of the subnet.
        epoch: u64,
    },
    /// No commit of this node has the hash of these weights.
    #[error("this node has not committed to these weights")]
    NoSuchCommit,
    /// Not the epoch in which these weights can be revealed.
    #[error("these weights can only be revealed in epoch {reveal_in}; the current epoch is {now}")]
    RevealTime {
        /// The epoch in which they can.
        reveal_in: u64,
        /// The current epoch of the subnet.
        now: u64,
    },
    /// The subnet has commit-reveal on: plain weights could be copied.
    #[error("subnet {netuid} requires commit and reveal")]
    CommitFirst {
        /// The subnet.
        netuid: Netuid,
    },
    /// The subnet has commit-reveal off.
    #[error("subnet {netuid} accepts plain weights, not commits")]
    NoCommits {
        /// The subnet.
        netuid: Netuid,
    },
    /// The neuron set weights, or registered, too recently.
    #[error("the node can set weights again at block {from}")]
    WeightsTooSoon {
        /// The first block at which it can.
        from: BlockHeight,
    },
}

impl WeightsRejection {
    /// The next step of a user at a terminal.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::NoSuchUid { .. } => "list its neurons: nervure subnet show N",
            Self::NotThere { .. } => {
                "register in the subnet first: nervure neuron register --netuid N --node NODE"
            }
            Self::WeightStake { .. } | Self::NoPermit => {
                "add stake and wait for the next epoch: nervure stake add NODE AMOUNT"
            }
            Self::Version { .. } => "update the validator, and name its version: --version-key N",
            Self::Duplicate => "name each uid or subnet once",
            Self::TooFewWeights { .. } | Self::TooManyWeights { .. } => {
                "list the neurons: nervure subnet show N"
            }
            Self::AlreadyCommitted { .. } => {
                "commit again in the next epoch: nervure subnet show N says when it begins"
            }
            Self::CommitFirst { .. } => "commit the weights: nervure weights commit N UID=WEIGHT...",
            Self::NoCommits { .. } => "set the weights: nervure weights set N UID=WEIGHT...",
            Self::NoSuchCommit => "sign with the key that made the commit: --key FILE",
            Self::RevealTime { reveal_in, now } if now < reveal_in => "wait for the reveal epoch: --wait",
            Self::RevealTime { .. } => "the reveal epoch is over: commit again, and reveal in the next epoch",
            Self::WeightsTooSoon { .. } => "wait for that block; the current one: nervure status",
        }
    }
}
