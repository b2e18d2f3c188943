//! What state costs: the tokens that a record of the state keeps locked.
//!
//! Every node keeps the whole state, so a record has a price by the bytes that it takes on their disks:
//! [`deposit_per_byte`](Params::deposit_per_byte). An account pays it with its own balance, which is never below the
//! existential deposit. A record of another kind pays it with a deposit: taken from the balance of the owner who made it, kept
//! in the record, and given back when the record goes. What it was is in the record, so that a change of the price changes
//! nothing that exists.
//!
//! **Sizes** are those of the largest record of a kind on a disk: its encoding, some 220 bytes for its key, its leaf, its
//! part of the nodes above and checksums, and what database pages leave empty (a third of the records' own; a record above
//! 4 KiB takes 8). A deposit therefore never changes with what a record says. Only a vote, which may have a thousand
//! subnets, is measured by its length. The tests `state_cost` of this crate and of `nervure-store` compare them with real
//! records and with a real file.
//!
//! No deposit is smaller than the existential deposit: what is given back to an owner without an account makes one again.
//!
//! Records without a deposit are bounded otherwise; `docs/ledger.md` has the table.

use std::fmt;

use nervure_primitives::{Amount, BlockHeight, Netuid, NodeId};
use serde::{Deserialize, Serialize};

use crate::{governance::ProposalId, params::Params};

/// Bytes of an account; the least of all kinds. A stake, an unbonding amount, a retired key and
/// an anchor key take no more.
pub const ACCOUNT_BYTES: u64 = 500;

/// Bytes of a node; with its standing as a validator, and with the stake that its owner gets by the take.
pub const NODE_BYTES: u64 = 1_600;

/// Bytes of a neuron with full rows of weights and bonds, and with its two commits; with its use of the lane.
pub const NEURON_BYTES: u64 = 9_000;

/// Bytes of a subnet with the longest names and all parameters of a mechanism, and of the neuron in its slot 0.
pub const SUBNET_BYTES: u64 = 12_000;

/// Bytes of a proxy with all scopes and a limit.
pub const PROXY_BYTES: u64 = 750;

/// Bytes of the largest announcement.
pub const ANNOUNCEMENT_BYTES: u64 = 2_200;

/// Bytes of a vested amount.
pub const VESTING_BYTES: u64 = 650;

/// Bytes of a subnet in a vote.
const VOTED_SUBNET_BYTES: u64 = 16;

/// A kind of record that an owner's tokens are locked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordKind {
    /// An account.
    Account,
    /// A node key.
    Node,
    /// A slot of a subnet.
    Neuron,
    /// A subnet; its lock is its deposit.
    Subnet,
    /// An anchor key.
    AnchorKey,
    /// A key that a node had before.
    RetiredKey,
    /// A vote on so many subnets.
    Vote(usize),
    /// A proxy.
    Proxy,
    /// What a proxy announced.
    Announcement,
    /// A vested amount; what has not vested is its deposit.
    Vesting,
    /// The vote of a stake on a proposal, with its part of the sums of its node.
    StakeVote,
}

impl RecordKind {
    /// The most bytes that such a record takes of a disk.
    pub fn bytes(self) -> u64 {
        match self {
            Self::Account | Self::AnchorKey | Self::RetiredKey | Self::StakeVote => ACCOUNT_BYTES,
            Self::Node => NODE_BYTES,
            Self::Neuron => NEURON_BYTES,
            Self::Subnet => SUBNET_BYTES,
            Self::Proxy => PROXY_BYTES,
            Self::Announcement => ANNOUNCEMENT_BYTES,
            Self::Vesting => VESTING_BYTES,
            Self::Vote(subnets) => {
                let subnets = u64::try_from(subnets).unwrap_or(u64::MAX);
                ACCOUNT_BYTES.saturating_add(VOTED_SUBNET_BYTES.saturating_mul(subnets))
            }
        }
    }
}

impl Params {
    /// What a record of this kind locks, in base units.
    pub fn deposit(&self, kind: RecordKind) -> u64 {
        self.deposit_per_byte.saturating_mul(kind.bytes())
    }

    /// What the vote of a stake on a proposal holds back, in base units. Never less than its record costs, whatever was voted.
    pub fn vote_deposit(&self) -> u64 {
        self.governance.vote_deposit.max(self.deposit(RecordKind::StakeVote))
    }

    /// The least of a vested amount, and what of it stays until its end, in base units.
    pub fn least_vested(&self) -> u64 {
        self.min_stake.max(self.deposit(RecordKind::Vesting))
    }

    /// The least that an account holds, in base units: one with less does not exist.
    pub fn existential_deposit(&self) -> u64 {
        self.deposit(RecordKind::Account)
    }
}

/// What a deposit is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum DepositFor {
    /// The node itself: back when it is deregistered.
    Node,
    /// A slot: back when the node leaves it, another node gets it, or its subnet is dissolved.
    Slot {
        /// The subnet.
        netuid: Netuid,
    },
    /// The node's vote on subnets: back when it abstains.
    Vote,
    /// The node's anchor key: back when the node gets another key or is deregistered.
    AnchorKey,
    /// A proxy of the owner, which `node` is: back when it is removed.
    Proxy,
    /// What the owner announced as a proxy of `node`, an owner key: back when it is carried out or cancelled.
    Announcement,
    /// A proposal of the owner, which `node` is: back at the count, unless it is vetoed or too little stake votes.
    Proposal {
        /// The proposal.
        proposal: ProposalId,
    },
    /// The vote on a proposal of the owner's stake on the node: back soon after the count.
    StakeVote {
        /// The proposal.
        proposal: ProposalId,
    },
    /// A former key of a node: back when the key is free again.
    RetiredKey {
        /// The block at which it is; none for a key of a node that equivocated, which never is.
        free: Option<BlockHeight>,
    },
}

/// A deposit that an owner has back later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Deposit {
    /// The node key that it was made for.
    pub node: NodeId,
    /// What for.
    #[serde(rename = "for")]
    pub of: DepositFor,
    /// How much.
    pub amount: Amount,
}

impl fmt::Display for Deposit {
    /// What it is for: completes "for".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let node = self.node;
        match self.of {
            DepositFor::Node => write!(f, "node {node}"),
            DepositFor::Slot { netuid } => write!(f, "the slot of {node} in subnet {netuid}"),
            DepositFor::Vote => write!(f, "the vote of {node}"),
            DepositFor::AnchorKey => write!(f, "the anchor key of {node}"),
            DepositFor::Proxy => write!(f, "the proxy {node}"),
            DepositFor::Announcement => write!(f, "a call that is announced for {node}"),
            DepositFor::Proposal { proposal } => write!(f, "proposal {proposal}, until it is counted"),
            DepositFor::StakeVote { proposal } => {
                write!(
                    f,
                    "the vote on proposal {proposal} of the stake on {node}, until some time after the count"
                )
            }
            DepositFor::RetiredKey { free: Some(block) } => {
                write!(f, "the former key {node}, until block {block}")
            }
            DepositFor::RetiredKey { free: None } => write!(f, "the former key {node}, for good"),
        }
    }
}
