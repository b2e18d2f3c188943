//! Why the ledger rejects a transaction.

use nervure_anchor::AnchorAddress;
use nervure_consensus::statement::EquivocationError;
use nervure_primitives::{Amount, BlockHeight, EnvelopeError, Netuid, NodeId, Uid, UntrustedText};
use serde::{Deserialize, Serialize};

use crate::params::OutOfRange;

/// Longest reason in a rejection, in bytes: a decoder quotes the names of fields that the sender chose.
const MAX_REASON_BYTES: usize = 200;

/// Why a transaction is rejected. In a block, it then changed nothing but its nonce and what was paid for it. The first
/// ones, to [`Self::BlockFull`], keep it out of blocks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rejection {
    /// Too large, not signed for this mesh by its signer, or not a transaction.
    #[error("not a signed transaction of this mesh: {why}")]
    Malformed {
        /// What is wrong with it.
        why: UntrustedText<MAX_REASON_BYTES>,
    },
    /// Its last valid height has passed.
    #[error("the transaction expired at block {expiry}")]
    Expired {
        /// Its last valid height.
        expiry: BlockHeight,
    },
    /// Not the signer's next nonce: applied before, or an earlier transaction is missing.
    #[error("the nonce is {given}, but the signer's next nonce is {expected}")]
    Nonce {
        /// The signer's next nonce.
        expected: u64,
        /// The transaction's nonce.
        given: u64,
    },
    /// Valid for too long.
    #[error("the transaction expires too far ahead: at most at block {last}")]
    ExpiryTooFar {
        /// The last block at which it may expire.
        last: BlockHeight,
    },
    /// A fee below what its weight costs now.
    #[error("its weight costs {least} tokens now, more than its fee")]
    Fee {
        /// What it costs.
        least: Amount,
    },
    /// A free transaction of a validator that has used its quota.
    #[error("all {most} free transactions of this validator are used")]
    LaneQuota {
        /// The quota.
        most: u16,
    },
    /// The block has no room for it.
    #[error("its weight is {weight}, but the block has only {left} left")]
    BlockFull {
        /// Its weight.
        weight: u64,
        /// What the block has left.
        left: u64,
    },
    /// The signer's balance is too low.
    #[error("the balance is too low: {needed} tokens are needed")]
    Balance {
        /// The least balance.
        needed: Amount,
    },
    /// An amount of zero.
    #[error("the amount is zero")]
    Nothing,
    /// A node key that the ledger does not know.
    #[error("{node} is not a registered node")]
    NoSuchNode {
        /// The key.
        node: NodeId,
    },
    /// A node of another owner.
    #[error("{node} belongs to another owner")]
    NotOwner {
        /// The node.
        node: NodeId,
    },
    /// A node key that is or was registered.
    #[error("{node} is or was registered before: make a new key")]
    KeyTaken {
        /// The key.
        node: NodeId,
    },
    /// The node key did not agree to belong to this owner.
    #[error("the node key's consent is not valid: {why}")]
    Consent {
        /// What is wrong with it.
        why: UntrustedText<MAX_REASON_BYTES>,
    },
    /// The consent names another owner.
    #[error("the node key's consent names owner {owner}, who is not the signer")]
    ConsentForAnother {
        /// The owner that it names.
        owner: NodeId,
    },
    /// A take above [`crate::nodes::MAX_TAKE`].
    #[error("a take of {take} is above {} of 65535", crate::nodes::MAX_TAKE)]
    Take {
        /// The take, of 65,535.
        take: u16,
    },
    /// The take was raised too recently.
    #[error("the take can be raised again at block {from}")]
    TakeTooSoon {
        /// The first block at which it can.
        from: BlockHeight,
    },
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
    /// An anchor key that is registered, for the signer or another node.
    #[error("{address} is already registered as an anchor key")]
    AnchorKeyTaken {
        /// Its address.
        address: AnchorAddress,
    },
    /// The proof of possession of the anchor key is not valid.
    #[error("the proof of possession of anchor key {address} is not valid for this node")]
    AnchorKeyProof {
        /// Its address.
        address: AnchorAddress,
    },
    /// The node registered an anchor key too recently.
    #[error("the node can register another anchor key at block {from}")]
    AnchorKeyTooSoon {
        /// The first block at which it can.
        from: BlockHeight,
    },
    /// The node has joined the validators.
    #[error("{node} has already joined the validators")]
    AlreadyValidator {
        /// The node.
        node: NodeId,
    },
    /// The node has not joined the validators, or left them, or is jailed.
    #[error("{node} has not joined the validators")]
    NotValidator {
        /// The node.
        node: NodeId,
    },
    /// The node missed too many heights.
    #[error("{node} is jailed because it missed too many heights; it can join again at block {until}")]
    Jailed {
        /// The node.
        node: NodeId,
        /// The first block at which it can join.
        until: BlockHeight,
    },
    /// The owner has too little on the node to validate with it.
    #[error("the owner's own stake on the node is {staked} tokens; a validator needs {least}")]
    SelfStake {
        /// The minimum self-stake.
        least: Amount,
        /// The owner's stake on the node.
        staked: Amount,
    },
    /// The node equivocated.
    #[error("{node} equivocated at block {height}: it never makes blocks again")]
    Tombstoned {
        /// The node.
        node: NodeId,
        /// The height at which it equivocated.
        height: BlockHeight,
    },
    /// Not two statements that contradict each other, signed by one key for this mesh.
    #[error("no evidence of equivocation: {why}")]
    Evidence {
        /// What is wrong with it.
        why: UntrustedText<MAX_REASON_BYTES>,
    },
    /// The evidence window is over.
    #[error("the evidence is too old: equivocations since block {oldest} can be reported")]
    EvidenceTooOld {
        /// The oldest height whose equivocations can be reported.
        oldest: BlockHeight,
    },
    /// The key was not in the validator set at that height, so that no validator counted what it signed.
    #[error("{node} was not a validator in office at block {height}")]
    NotInOffice {
        /// The key.
        node: NodeId,
        /// The height.
        height: BlockHeight,
    },
    /// The node was slashed for this offence or an earlier one.
    #[error("{node} was slashed for an equivocation before")]
    AlreadyReported {
        /// The node.
        node: NodeId,
    },
}

impl Rejection {
    /// The next step of a user at a terminal.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Malformed { .. } => {
                "sign it for this mesh, and encode it as docs/protocol/directory.md says of envelopes"
            }
            Self::Expired { .. } | Self::Nonce { .. } => {
                "another transaction of this key is pending: try again after the next block"
            }
            Self::ExpiryTooFar { .. } => "name an earlier expiry",
            Self::Fee { .. } => "raise --fee to at least that, or omit it",
            Self::LaneQuota { .. } => {
                "wait for the next epoch or election, or let the owner pay: --fee AMOUNT"
            }
            Self::BlockFull { .. } => "wait for the next block",
            Self::Balance { .. } => "see the balance: nervure wallet show",
            Self::Nothing => "name an amount above zero",
            Self::NoSuchNode { .. } => "register its key first: nervure key register FILE",
            Self::NotOwner { .. } => "sign with the node owner's key: --key FILE",
            Self::KeyTaken { .. } => "create a new key: nervure key new --out FILE",
            Self::Consent { .. } => "sign the consent with the node's key: nervure key register FILE",
            Self::ConsentForAnother { .. } => "sign with the owner key that the consent names: --key FILE",
            Self::Take { .. } => "the maximum is 18 %: nervure stake take NODE 18",
            Self::StakeTooSmall { .. } | Self::NotStaked { .. } => "see the stakes: nervure wallet show",
            Self::StakeLost { .. } => "stake on another node: nervure subnet show N lists them",
            Self::NoSuchSubnet { .. } => "list the subnets: nervure subnet list",
            Self::Closed { .. } => "register in another subnet: nervure subnet list",
            Self::Name => "choose another name, such as my-subnet-2",
            Self::Mechanism => "the mechanisms and their parameters are in docs/mechanisms.md",
            Self::NoSubnetPlace => "wait until a subnet is no longer immune: nervure subnet list",
            Self::AlreadyThere { .. } | Self::NoSlot { .. } | Self::NoSuchUid { .. } => {
                "list its neurons: nervure subnet show N"
            }
            Self::Price { .. } => "raise the limit, or wait: the price falls with every block",
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
            Self::NotSubnetOwner { .. } => {
                "sign with the owner's key: --key FILE; nervure subnet show N names the owner"
            }
            Self::Hyperparameter(_) => "the limits are in docs/ledger.md, \"Hyperparameters\"",
            Self::TakeTooSoon { .. }
            | Self::TooManyRegistrations { .. }
            | Self::WeightsTooSoon { .. }
            | Self::HyperparameterTooSoon { .. }
            | Self::VoteTooSoon { .. }
            | Self::AnchorKeyTooSoon { .. } => "wait for that block; the current one: nervure status",
            Self::AlreadyValidator { .. } | Self::NotValidator { .. } => {
                "see the validators: nervure validator show"
            }
            Self::Tombstoned { .. } => {
                "register another node with a key of its own, and stake on it: nervure key register FILE"
            }
            Self::Evidence { .. } | Self::EvidenceTooOld { .. } | Self::NotInOffice { .. } => {
                "nothing can be slashed for it; docs/consensus.md says what is evidence"
            }
            Self::AlreadyReported { .. } => "see the validators: nervure validator show",
            Self::Jailed { .. } => {
                "keep the node running, and wait for that block; the current one: nervure status"
            }
            Self::SelfStake { .. } => "stake with the owner's key: nervure stake add NODE AMOUNT",
            Self::AnchorKeyTaken { .. } => "register another key: nervure anchor register --anchor-key FILE",
            Self::AnchorKeyProof { .. } => "sign with the key of the node that it belongs to: --key FILE",
        }
    }

    /// An envelope that could not be opened.
    pub(super) fn malformed(error: &EnvelopeError) -> Self {
        Self::Malformed { why: UntrustedText::new(error) }
    }

    /// Two statements that prove nothing.
    pub(crate) fn evidence(error: &EquivocationError) -> Self {
        Self::Evidence { why: UntrustedText::new(error) }
    }

    /// A consent that could not be opened.
    pub(super) fn consent(error: &EnvelopeError) -> Self {
        Self::Consent { why: UntrustedText::new(error) }
    }
}
