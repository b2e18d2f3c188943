//! What the leaves of the state tree say.

use nervure_anchor::AnchorSet;
use nervure_consensus::checkpoint::ValidatorSet;
use nervure_primitives::{
    Amount, BlockHeight, Hash, Netuid, NodeId, Uid,
    cbor::{self, CborError, Limits},
};
use serde::{Deserialize, Serialize};

use crate::{
    accounts::{Account, Unbonding, UnbondingKey},
    anchors::{RegisteredKey, Sets},
    economics::{base_fee::BaseFee, lock::LastLock},
    governance::{NodeBallots, Proposal, ProposalId, Rulebook, StakeVote, StakeVoteKey},
    lane::LaneScope,
    nodes::{MovedKey, MovedStake, Node, NodeNumber, RetiredKey, StakePool},
    proxies::{Announcement, Proxy},
    roster::{Liveness, Standing, Term},
    state::{RestingNumber, SubnetVote},
    subnet::{Neuron, Subnet},
    upgrade::Upgrade,
    vesting::{Vesting, VestingKey},
};

/// Largest encoding of a record in bytes, with room for what comes: a neuron with 256 weights, 256 bonds and two commits
/// takes 4 KiB, a vote at most a transaction's 8 KiB.
pub const MAX_RECORD_LEN: usize = 96 * 1024;

/// Which record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// What the ledger has one of.
    Chain,
    /// An account, by owner key.
    Account(NodeId),
    /// An unstaked amount.
    Unbonding(UnbondingKey),
    /// A node, by node key.
    Node(NodeId),
    /// A stake: the number of the node, the staker.
    Stake(NodeNumber, NodeId),
    /// A key that was a node's.
    Retired(NodeId),
    /// The vote of a node on the subnets' shares.
    Vote(NodeId),
    /// A subnet without its neurons.
    Subnet(Netuid),
    /// A neuron.
    Neuron(Netuid, Uid),
    /// The anchor key of a node.
    AnchorKey(NodeId),
    /// Who signs checkpoints.
    AnchorSets,
    /// Whether a node joined the validators, or is jailed.
    Validator(NodeId),
    /// What a member of the validator set signed and missed, by its key in the set.
    Liveness(NodeId),
    /// When a key was in the validator set.
    Term(NodeId),
    /// How many free transactions of a validator there were.
    Lane(LaneScope, NodeId),
    /// A stake that was moved and answers for another node, too.
    Moved(MovedKey),
    /// The parameters.
    Params,
    /// A proposal of token holders.
    Proposal(ProposalId),
    /// The sums of the votes of the stake on a node, by its number.
    Ballots(NodeNumber),
    /// The vote of a stake.
    StakeVote(StakeVoteKey),
    /// The number of a dissolved subnet.
    RestingNumber(Netuid),
    /// A proxy: the owner, the proxy.
    Proxy(NodeId, NodeId),
    /// What a proxy announced: the owner, the id of the announcement.
    Announcement(NodeId, Hash),
    /// A vested amount.
    Vesting(VestingKey),
}

impl Key {
    /// Where the record is in the tree.
    pub(crate) fn place(&self) -> Hash {
        // The byte of kind separates keys of equal parts: an account and a node with the same key.
        let of = |kind: u8, parts: [&[u8]; 2]| Hash::of("nervure/state/1", &[&[kind], parts[0], parts[1]]);
        match self {
            Self::Chain => of(0, [&[], &[]]),
            Self::Account(owner) => of(1, [owner.as_bytes(), &[]]),
            Self::Unbonding(UnbondingKey { free, owner, node }) => {
                let node = node.map(|number| number.0.to_be_bytes());
                let node: &[u8] = node.as_ref().map_or(&[], |bytes| bytes);
                of(2, [&free.to_be_bytes(), &[owner.as_bytes(), node].concat()])
            }
            Self::Node(node) => of(3, [node.as_bytes(), &[]]),
            Self::Stake(node, staker) => of(4, [&node.0.to_be_bytes(), staker.as_bytes()]),
            Self::Retired(node) => of(5, [node.as_bytes(), &[]]),
            Self::Vote(node) => of(6, [node.as_bytes(), &[]]),
            Self::Subnet(netuid) => of(7, [&netuid.0.to_be_bytes(), &[]]),
            Self::Neuron(netuid, uid) => of(8, [&netuid.0.to_be_bytes(), &uid.0.to_be_bytes()]),
            Self::AnchorKey(node) => of(9, [node.as_bytes(), &[]]),
            Self::AnchorSets => of(10, [&[], &[]]),
            Self::Validator(node) => of(11, [node.as_bytes(), &[]]),
            Self::Liveness(member) => of(12, [member.as_bytes(), &[]]),
            Self::Term(member) => of(13, [member.as_bytes(), &[]]),
            Self::Lane(LaneScope::Subnet(netuid), node) => of(16, [&netuid.0.to_be_bytes(), node.as_bytes()]),
            Self::Lane(LaneScope::Election, node) => of(17, [node.as_bytes(), &[]]),
            Self::Moved(MovedKey { free, staker, from, to }) => {
                let nodes = [from.0.to_be_bytes(), to.0.to_be_bytes()].concat();
                of(30, [&free.to_be_bytes(), &[staker.as_bytes().as_slice(), &nodes].concat()])
            }
            Self::Params => of(21, [&[], &[]]),
            Self::Proposal(proposal) => of(22, [&proposal.0.to_be_bytes(), &[]]),
            Self::Ballots(node) => of(23, [&node.0.to_be_bytes(), &[]]),
            Self::StakeVote(StakeVoteKey { proposal, node, staker }) => {
                let number = node.0.to_be_bytes();
                of(24, [&proposal.0.to_be_bytes(), &[&number, &staker.as_bytes()[..]].concat()])
            }
            Self::RestingNumber(netuid) => of(18, [&netuid.0.to_be_bytes(), &[]]),
            Self::Proxy(owner, proxy) => of(25, [owner.as_bytes(), proxy.as_bytes()]),
            Self::Announcement(owner, id) => of(26, [owner.as_bytes(), id.as_bytes()]),
            Self::Vesting(VestingKey { to, from, number }) => {
                of(27, [to.as_bytes(), &[from.as_bytes().as_slice(), &[*number]].concat()])
            }
        }
    }
}

/// What the ledger has one of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Chain {
    /// The height of the last block.
    pub height: BlockHeight,
    /// All base units that exist.
    pub issuance: u64,
    /// Minted and not assigned yet, in base units.
    pub carry: u64,
    /// The base fee of the next block.
    pub base_fee: BaseFee,
    /// The number of the next subnet.
    pub next_netuid: u32,
    /// The number of the next node.
    pub next_node: NodeNumber,
    /// The nonce that a new account begins with.
    pub account_nonce: u64,
    /// The nonce that a new node key begins with.
    pub node_nonce: u64,
    /// The last lock of a subnet.
    pub last_lock: LastLock,
    /// Who makes the next block.
    pub validators: Option<ValidatorSet>,
    /// Who agreed on the last block; none when they are the same.
    pub last_validators: Option<ValidatorSet>,
    /// The number of the next proposal.
    pub next_proposal: ProposalId,
    /// What the treasury holds, in base units.
    pub treasury: u64,
}

/// A leaf of the state tree: one thing that the ledger knows, with its key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Record {
    /// See [`Key::Chain`].
    Chain(Chain),
    /// See [`Key::Account`].
    Account {
        /// Whose.
        owner: NodeId,
        /// What it holds.
        account: Account,
    },
    /// See [`Key::Unbonding`].
    Unbonding {
        /// The block at which it is free.
        free: u64,
        /// Whose.
        owner: NodeId,
        /// The node that it answers for.
        node: Option<NodeNumber>,
        /// How much, and when it was unstaked.
        unbonding: Unbonding,
    },
    /// See [`Key::Node`].
    Node {
        /// The node key.
        node: NodeId,
        /// Its number, under which its stakes are kept.
        number: NodeNumber,
        /// Who owns it.
        owner: NodeId,
        /// What the owner keeps of the stakers' dividends, of 65,535.
        take: u16,
        /// The block at which the take was last raised.
        take_raised: u64,
        /// The nonce of its next transaction.
        nonce: u64,
        /// What is deposited for it.
        deposit: Amount,
        /// The pool of its stake.
        pool: StakePool,
    },
    /// See [`Key::Stake`].
    Stake {
        /// The number of the node.
        node: NodeNumber,
        /// The staker.
        staker: NodeId,
        /// Its shares of the node's pool.
        #[serde(with = "crate::wide")]
        shares: u128,
    },
    /// See [`Key::Retired`].
    Retired {
        /// The key.
        node: NodeId,
        /// Whose it was, and until when it is retired.
        key: RetiredKey,
    },
    /// See [`Key::Vote`].
    Vote {
        /// The node.
        node: NodeId,
        /// What it said.
        vote: SubnetVote,
    },
    /// See [`Key::Subnet`].
    Subnet {
        /// Its number.
        netuid: Netuid,
        /// The subnet; its neurons are records of their own.
        subnet: Box<Subnet>,
    },
    /// See [`Key::Neuron`].
    Neuron {
        /// The subnet.
        netuid: Netuid,
        /// The slot.
        uid: Uid,
        /// The neuron.
        neuron: Box<Neuron>,
    },
    /// See [`Key::AnchorKey`].
    AnchorKey {
        /// The node.
        node: NodeId,
        /// Its key.
        key: RegisteredKey,
    },
    /// See [`Key::AnchorSets`].
    AnchorSets {
        /// Who signs the checkpoint of the last election.
        signers: Option<AnchorSet>,
        /// Who signs the checkpoint of the next election.
        successors: AnchorSet,
    },
    /// See [`Key::Validator`].
    Validator {
        /// The node.
        node: NodeId,
        /// Whether it joined or is jailed.
        standing: Standing,
    },
    /// See [`Key::Liveness`].
    Liveness {
        /// Its key in the validator set.
        member: NodeId,
        /// What it signed and missed.
        liveness: Box<Liveness>,
    },
    /// See [`Key::Term`].
    Term {
        /// The key in the validator set.
        member: NodeId,
        /// When it was in office.
        term: Term,
    },
    /// See [`Key::Lane`].
    Lane {
        /// Where they count.
        scope: LaneScope,
        /// The validator.
        node: NodeId,
        /// How many there were in the current epoch or term.
        used: u16,
    },
    /// See [`Key::Moved`].
    Moved {
        /// The block at which it is free.
        free: u64,
        /// Whose.
        staker: NodeId,
        /// The node that it was on.
        from: NodeNumber,
        /// The node that it is on.
        to: NodeNumber,
        /// How much, and when it was moved.
        moved: MovedStake,
    },
    /// See [`Key::Params`].
    Params {
        /// The parameters in force.
        rules: Box<Rulebook>,
        /// The upgrades that were voted.
        upgrades: Vec<Upgrade>,
    },
    /// See [`Key::Proposal`].
    Proposal {
        /// Its number.
        id: ProposalId,
        /// The proposal.
        proposal: Box<Proposal>,
    },
    /// See [`Key::Ballots`].
    Ballots {
        /// The number of the node.
        node: NodeNumber,
        /// The sums by proposal.
        ballots: NodeBallots,
    },
    /// See [`Key::StakeVote`].
    StakeVote {
        /// The proposal.
        proposal: ProposalId,
        /// The number of the node.
        node: NodeNumber,
        /// Whose stake.
        staker: NodeId,
        /// The vote.
        vote: StakeVote,
    },
    /// See [`Key::RestingNumber`].
    RestingNumber {
        /// The number.
        netuid: Netuid,
        /// When it is used again.
        number: RestingNumber,
    },
    /// See [`Key::Proxy`].
    Proxy {
        /// Whose.
        owner: NodeId,
        /// The proxy.
        proxy: NodeId,
        /// What it may do, and what it spent.
        granted: Proxy,
    },
    /// See [`Key::Announcement`].
    Announcement {
        /// For whom.
        owner: NodeId,
        /// Its id.
        id: Hash,
        /// The call, by whom and from when on.
        announcement: Announcement,
    },
    /// See [`Key::Vesting`].
    Vesting {
        /// Whose it becomes.
        to: NodeId,
        /// Who gave it.
        from: NodeId,
        /// Its number among those of both.
        number: u8,
        /// How much, and when it is free.
        vesting: Vesting,
    },
}

impl Record {
    /// The key that it is stored under.
    pub fn key(&self) -> Key {
        match self {
            Self::Chain(_) => Key::Chain,
            Self::Account { owner, .. } => Key::Account(*owner),
            Self::Unbonding { free, owner, node, .. } => {
                Key::Unbonding(UnbondingKey { free: *free, owner: *owner, node: *node })
            }
            Self::Node { node, .. } => Key::Node(*node),
            Self::Stake { node, staker, .. } => Key::Stake(*node, *staker),
            Self::Retired { node, .. } => Key::Retired(*node),
            Self::Vote { node, .. } => Key::Vote(*node),
            Self::Subnet { netuid, .. } => Key::Subnet(*netuid),
            Self::Neuron { netuid, uid, .. } => Key::Neuron(*netuid, *uid),
            Self::AnchorKey { node, .. } => Key::AnchorKey(*node),
            Self::AnchorSets { .. } => Key::AnchorSets,
            Self::Validator { node, .. } => Key::Validator(*node),
            Self::Liveness { member, .. } => Key::Liveness(*member),
            Self::Term { member, .. } => Key::Term(*member),
            Self::Lane { scope, node, .. } => Key::Lane(*scope, *node),
            Self::Moved { free, staker, from, to, .. } => {
                Key::Moved(MovedKey { free: *free, staker: *staker, from: *from, to: *to })
            }
            Self::Params { .. } => Key::Params,
            Self::Proposal { id, .. } => Key::Proposal(*id),
            Self::Ballots { node, .. } => Key::Ballots(*node),
            Self::StakeVote { proposal, node, staker, .. } => {
                Key::StakeVote(StakeVoteKey { proposal: *proposal, node: *node, staker: *staker })
            }
            Self::RestingNumber { netuid, .. } => Key::RestingNumber(*netuid),
            Self::Proxy { owner, proxy, .. } => Key::Proxy(*owner, *proxy),
            Self::Announcement { owner, id, .. } => Key::Announcement(*owner, *id),
            Self::Vesting { to, from, number, .. } => {
                Key::Vesting(VestingKey { to: *to, from: *from, number: *number })
            }
        }
    }

    /// Reads a record.
    ///
    /// # Errors
    /// When `bytes` are too many or not the canonical form of a record.
    pub fn decode(bytes: &[u8]) -> Result<Self, CborError> {
        cbor::decode(bytes, Limits::new(MAX_RECORD_LEN))
    }

    /// The record of those who sign checkpoints.
    pub(super) fn of_sets(sets: &Sets) -> Self {
        Self::AnchorSets { signers: sets.signers.as_deref().cloned(), successors: (*sets.successors).clone() }
    }

    /// The record of a node without its stakes.
    pub(super) fn of_node(key: NodeId, node: &Node) -> Self {
        let Node { number, owner, take, take_raised, nonce, deposit, pool } = *node;
        Self::Node { node: key, number, owner, take, take_raised, nonce, deposit, pool }
    }
}
