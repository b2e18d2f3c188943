//! Why a transaction is refused.

use nervure_anchor::AnchorAddress;
use nervure_primitives::{Amount, BlockHeight, EnvelopeError, Netuid, NodeId, Uid};
use serde::{Deserialize, Serialize};

use crate::params::OutOfRange;

/// Longest text in a refusal, in characters: part of it may be a stranger's.
pub(crate) const MAX_REASON: usize = 200;

/// Why a transaction is refused. It then changed nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Refusal {
    /// Too large, not signed for this mesh by its signer, or not a transaction.
    #[error("not a signed transaction of this mesh: {why}")]
    Malformed {
        /// What is wrong with it, in at most 200 characters.
        why: String,
    },
    /// The last block that could carry it is over.
    #[error("it held until block {expiry}")]
    Expired {
        /// That block.
        expiry: BlockHeight,
    },
    /// Not the signer's next nonce: carried out before, or something before it is missing.
    #[error("it carries nonce {given}, the signer's next is {expected}")]
    Nonce {
        /// The next one.
        expected: u64,
        /// Its own.
        given: u64,
    },
    /// Too small a fee.
    #[error("the fee has to be at least {least} tokens")]
    Fee {
        /// The least fee.
        least: Amount,
    },
    /// The signer does not have what it costs.
    #[error("{needed} tokens are needed, and the account has less")]
    Balance {
        /// What has to be there.
        needed: Amount,
    },
    /// An amount of zero.
    #[error("an amount of nothing")]
    Nothing,
    /// A node key that the ledger does not know.
    #[error("{node} is not a registered node")]
    NoSuchNode {
        /// The key.
        node: NodeId,
    },
    /// A node of somebody else.
    #[error("{node} belongs to another owner")]
    NotOwner {
        /// The node.
        node: NodeId,
    },
    /// A node key that is or was a node already.
    #[error("{node} is or was a node already: make a new key")]
    KeyTaken {
        /// The key.
        node: NodeId,
    },
    /// The node key did not agree to belong to this owner.
    #[error("the node key's consent does not hold: {why}")]
    Consent {
        /// What is wrong with it, in at most 200 characters.
        why: String,
    },
    /// The consent names another owner.
    #[error("the node key agreed to belong to {owner}, who is not the signer")]
    ConsentForAnother {
        /// Whom it names.
        owner: NodeId,
    },
    /// A take above [`crate::nodes::MAX_TAKE`].
    #[error("a take of {take} is above {} of 65535", crate::nodes::MAX_TAKE)]
    Take {
        /// The take, of 65,535.
        take: u16,
    },
    /// The take was raised a short while ago.
    #[error("the take can be raised again at block {from}")]
    TakeTooSoon {
        /// The first block at which it can.
        from: BlockHeight,
    },
    /// Less stake would stay on the node than the least that may.
    #[error("either nothing or at least {least} tokens may stay on a node")]
    StakeTooSmall {
        /// The least stake.
        least: Amount,
    },
    /// More than was staked.
    #[error("only {staked} tokens are staked there")]
    NotStaked {
        /// What is.
        staked: Amount,
    },
    /// An owner's transaction signed as a node's, or the other way round.
    #[error("this kind of transaction is signed by the other key")]
    WrongKey,
    /// A node key offers a fee, but can move nothing.
    #[error("a transaction of a node key carries no fee")]
    NodeFee,
    /// A subnet that does not exist.
    #[error("there is no subnet {netuid}")]
    NoSuchSubnet {
        /// Its number.
        netuid: Netuid,
    },
    /// Not a name.
    #[error("a name has 1 to 64 lower-case letters, digits and hyphens")]
    Name,
    /// No mechanism by its form.
    #[error(
        "a mechanism has a name and at most 16 parameters; names have 1 to 32 lower-case letters, digits, hyphens and \
         underscores"
    )]
    Mechanism,
    /// All subnets there may be exist, and all are immune or all numbers are used.
    #[error("no place for another subnet: all are taken by subnets that are still immune")]
    NoSubnetPlace,
    /// The node is in the subnet already.
    #[error("{node} is in subnet {netuid} already")]
    AlreadyThere {
        /// The node.
        node: NodeId,
        /// The subnet.
        netuid: Netuid,
    },
    /// The slot costs more than the signer would pay.
    #[error("a slot costs {price} tokens now")]
    Price {
        /// The price.
        price: Amount,
    },
    /// Every slot is taken by somebody who cannot lose it.
    #[error("subnet {netuid} is full, and nobody in it can lose its slot now")]
    NoSlot {
        /// The subnet.
        netuid: Netuid,
    },
    /// The signing node has no slot in the subnet.
    #[error("the signing node is not in subnet {netuid}")]
    NotThere {
        /// The subnet.
        netuid: Netuid,
    },
    /// More weights than there are neurons.
    #[error("{given} weights, but there are {most} neurons")]
    TooManyWeights {
        /// How many were given.
        given: usize,
        /// How many there can be.
        most: usize,
    },
    /// Too little stake to set weights.
    #[error("setting weights takes a stake of {least} tokens")]
    WeightStake {
        /// The least stake.
        least: Amount,
    },
    /// Weights of a validator that is too old.
    #[error("weights of version {given}, but {least} or newer is needed")]
    Version {
        /// The least version key.
        least: u64,
        /// The given one.
        given: u64,
    },
    /// Weights of a node without a validator permit.
    #[error("the node has no validator permit")]
    NoPermit,
    /// A weight given twice.
    #[error("the same uid or subnet twice")]
    Duplicate,
    /// A uid that does not exist.
    #[error("there is no uid {uid}")]
    NoSuchUid {
        /// The uid.
        uid: Uid,
    },
    /// Fewer weights than the least number.
    #[error("at least {least} weights are needed")]
    TooFewWeights {
        /// The least number.
        least: usize,
    },
    /// Too many promises that were not kept yet.
    #[error("{most} commits wait for their reveal already")]
    TooManyCommits {
        /// The most there may be.
        most: usize,
    },
    /// No commit of this node is about these weights.
    #[error("this node committed to no such weights")]
    NoSuchCommit,
    /// Not the epoch in which these weights can be revealed.
    #[error("these weights can be revealed in epoch {reveal_in} only, now is epoch {now}")]
    RevealTime {
        /// The epoch in which they can.
        reveal_in: u64,
        /// The current epoch of the subnet.
        now: u64,
    },
    /// The subnet has commit-reveal on: plain weights could be copied.
    #[error("subnet {netuid} takes weights by commit and reveal")]
    CommitFirst {
        /// The subnet.
        netuid: Netuid,
    },
    /// The subnet has commit-reveal off.
    #[error("subnet {netuid} takes plain weights, not commits")]
    NoCommits {
        /// The subnet.
        netuid: Netuid,
    },
    /// The neuron set weights, or came, a short while ago.
    #[error("the node can set weights at block {from}")]
    WeightsTooSoon {
        /// The first block at which it can.
        from: BlockHeight,
    },
    /// The subnet takes no newcomers.
    #[error("the owner of subnet {netuid} closed it to newcomers")]
    Closed {
        /// The subnet.
        netuid: Netuid,
    },
    /// A subnet of somebody else.
    #[error("subnet {netuid} belongs to another owner, or to nobody")]
    NotSubnetOwner {
        /// The subnet.
        netuid: Netuid,
    },
    /// A hyperparameter outside of its limits.
    #[error(transparent)]
    Hyperparameter(#[from] OutOfRange),
    /// The hyperparameter was changed a short while ago.
    #[error("this hyperparameter can be changed again at block {from}")]
    HyperparameterTooSoon {
        /// The first block at which it can.
        from: BlockHeight,
    },
    /// The node voted a short while ago.
    #[error("the node can vote again at block {from}")]
    VoteTooSoon {
        /// The first block at which it can.
        from: BlockHeight,
    },
    /// An anchor key that a node has, the signer or another one.
    #[error("{address} is a node's anchor key already")]
    AnchorKeyTaken {
        /// Its address.
        address: AnchorAddress,
    },
    /// The anchor key did not agree to belong to this node.
    #[error("the anchor key {address} did not sign that it belongs to this node")]
    AnchorKeyProof {
        /// Its address.
        address: AnchorAddress,
    },
    /// The node registered an anchor key a short while ago.
    #[error("the node can register another anchor key at block {from}")]
    AnchorKeyTooSoon {
        /// The first block at which it can.
        from: BlockHeight,
    },
}

impl Refusal {
    /// An envelope that could not be opened.
    pub(super) fn malformed(error: &EnvelopeError) -> Self {
        Self::Malformed { why: short(error) }
    }

    /// A consent that could not be opened.
    pub(super) fn consent(error: &EnvelopeError) -> Self {
        Self::Consent { why: short(error) }
    }
}

fn short(error: &EnvelopeError) -> String {
    error.to_string().chars().take(MAX_REASON).collect()
}
