//! Rejections about nodes, their keys and their owners.

use nervure_anchor::AnchorAddress;
use nervure_primitives::{BlockHeight, Netuid, NodeId, UntrustedText};
use serde::{Deserialize, Serialize};

use super::MAX_REASON_BYTES;

/// Why the ledger does not change a node, its keys or its owner.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NodeRejection {
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
    /// A node that cannot be deregistered.
    #[error("{node} cannot be deregistered: {because}")]
    NodeInUse {
        /// The node.
        node: NodeId,
        /// What is still there.
        because: NodeUse,
    },
    /// The new owner key is the old one.
    #[error("the new owner key is the signer's own")]
    SameOwner,
    /// No holdings to give away, too many, or one twice.
    #[error(
        "a rotation names 1 to 64 holdings, each once, and amounts of at most 16 nodes that unbond at one block"
    )]
    Holdings,
    /// Nothing of the signer becomes free at that block.
    #[error("nothing of the signer unbonds at block {block}")]
    NothingUnbonds {
        /// The block.
        block: BlockHeight,
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
}

/// Why a node cannot be deregistered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NodeUse {
    /// Stake of its owner or of others.
    #[error("there is stake on it")]
    Stake,
    /// A slot, or a subnet that it is the owner's node of.
    #[error("it has a slot in subnet {0}")]
    Slot(Netuid),
    /// It joined the validators, is jailed, or equivocated.
    #[error("it has joined the validators, is jailed, or has equivocated")]
    Standing,
    /// It is a validator in office.
    #[error("it is a validator until the next election")]
    Office,
    /// What was unstaked or moved from it answers for what it signed.
    #[error("what was removed or moved from it still answers for it")]
    Unbonding,
}

impl NodeRejection {
    /// The next step of a user at a terminal.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::NoSuchNode { .. } => "register its key first: nervure key register FILE",
            Self::NotOwner { .. } => "sign with the node owner's key: --key FILE",
            Self::KeyTaken { .. } => "create a new key: nervure key new --out FILE",
            Self::Consent { .. } => "sign the consent with the node's key: nervure key register FILE",
            Self::ConsentForAnother { .. } => "sign with the owner key that the consent names: --key FILE",
            Self::Take { .. } => "the maximum is 18 %: nervure stake take NODE 18",
            Self::TakeTooSoon { .. } | Self::AnchorKeyTooSoon { .. } => {
                "wait for that block; the current one: nervure status"
            }
            Self::SameOwner => "create a new key: nervure key new --out FILE",
            Self::Holdings | Self::NothingUnbonds { .. } => "see what can be given: nervure wallet show",
            Self::AnchorKeyTaken { .. } => "register another key: nervure anchor register --anchor-key FILE",
            Self::NodeInUse { because, .. } => match because {
                NodeUse::Stake => {
                    "remove your stake, and wait until others have removed theirs: nervure stake remove NODE all"
                }
                NodeUse::Slot(_) => "wait until another node gets the slot, or the subnet is dissolved",
                NodeUse::Standing => "leave the validators first: nervure validator leave NODE",
                NodeUse::Office => {
                    "keep the node running, and wait for the next election: nervure validator show"
                }
                NodeUse::Unbonding => "wait until it is released; see when: nervure wallet show",
            },
            Self::AnchorKeyProof { .. } => "sign with the key of the node that it belongs to: --key FILE",
        }
    }
}
