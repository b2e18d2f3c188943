//! Our ids, votes and validators as the core's context types.

use std::{fmt, sync::Arc};

use arc_malachitebft_core_types as core;
use nervure_primitives::{BlockHeight, Hash, NodeId, Signature};

use crate::{
    bft::proposer::ProposerOrder,
    checkpoint::ValidatorSet,
    statement::{Proposal, Round, Vote, VoteKind},
};

/// The context: the types that the core works with, and how it builds statements.
#[derive(Clone, Copy, Debug)]
pub(in crate::bft) struct BftContext;

/// A height.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::bft) struct Height(pub(in crate::bft) BlockHeight);

/// The address of a validator, and its public key: both are the node id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::bft) struct CoreAddress(pub(in crate::bft) NodeId);

/// A block by its hash. For the core it is the value and the value's id in one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::bft) struct Block(pub(in crate::bft) Hash);

/// A signature, ordered by its bytes because the core needs an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::bft) struct CoreSignature(pub(in crate::bft) Signature);

impl CoreSignature {
    /// The placeholder for a signature that the signer refused. It never verifies and is never sent.
    pub(in crate::bft) const NONE: Self = Self(Signature::from_bytes([0; 64]));
}

impl PartialOrd for CoreSignature {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for CoreSignature {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.as_bytes().cmp(other.0.as_bytes())
    }
}

/// The validators of one height in the order in which they propose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::bft) struct CoreValidatorSet(Arc<Inner>);

#[derive(Debug, PartialEq, Eq)]
struct Inner {
    members: Vec<CoreValidator>,
    order: ProposerOrder,
    total: u64,
}

/// A validator and its power.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::bft) struct CoreValidator {
    member: CoreAddress,
    power: u64,
}

impl CoreValidatorSet {
    pub(in crate::bft) fn new(validators: &ValidatorSet, order: ProposerOrder) -> Self {
        let members = validators.members().iter();
        let members =
            members.map(|v| CoreValidator { member: CoreAddress(v.node), power: v.power }).collect();
        Self(Arc::new(Inner { members, order, total: validators.total_power() }))
    }

    fn proposer_of(&self, round: u32) -> &CoreValidator {
        // A validator set has members, and the order contains the places of all of them.
        &self.0.members[self.0.order.at(round)]
    }

    /// The proposer of `round`.
    pub(in crate::bft) fn proposer(&self, round: u32) -> NodeId {
        self.proposer_of(round).member.0
    }
}

/// A vote and its signer, as the core keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::bft) struct CoreVote {
    pub(in crate::bft) vote: Vote,
    value: core::NilOrVal<Block>,
    member: CoreAddress,
}

impl CoreVote {
    pub(in crate::bft) fn new(vote: Vote, member: NodeId) -> Self {
        let value = vote.value.map_or(core::NilOrVal::Nil, |value| core::NilOrVal::Val(Block(value)));
        Self { vote, value, member: CoreAddress(member) }
    }
}

/// A proposal and its signer, as the core keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::bft) struct CoreProposal {
    pub(in crate::bft) proposal: Proposal,
    block: Block,
    member: CoreAddress,
}

impl CoreProposal {
    pub(in crate::bft) fn new(proposal: Proposal, member: NodeId) -> Self {
        Self { proposal, block: Block(proposal.value), member: CoreAddress(member) }
    }
}

/// The core's type for parts of a proposal. Blocks are transferred outside the core, so there are
/// none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::bft) struct NoProposalParts;

impl core::ProposalPart<BftContext> for NoProposalParts {
    fn is_first(&self) -> bool {
        true
    }
    fn is_last(&self) -> bool {
        true
    }
}

impl fmt::Display for CoreAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Height {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl core::Address for CoreAddress {}

impl core::Height for Height {
    const ZERO: Self = Self(BlockHeight(0));
    const INITIAL: Self = Self(BlockHeight(1));

    fn increment_by(&self, n: u64) -> Self {
        Self(BlockHeight(self.0.0.saturating_add(n)))
    }
    fn decrement_by(&self, n: u64) -> Option<Self> {
        self.0.0.checked_sub(n).map(|height| Self(BlockHeight(height)))
    }
    fn as_u64(&self) -> u64 {
        self.0.0
    }
}

impl core::Value for Block {
    type Id = Self;

    fn id(&self) -> Self {
        *self
    }
}

impl core::Validator<BftContext> for CoreValidator {
    fn address(&self) -> &CoreAddress {
        &self.member
    }
    fn public_key(&self) -> &CoreAddress {
        &self.member
    }
    fn voting_power(&self) -> u64 {
        self.power
    }
}

impl core::ValidatorSet<BftContext> for CoreValidatorSet {
    fn count(&self) -> usize {
        self.0.members.len()
    }
    fn total_voting_power(&self) -> u64 {
        self.0.total
    }
    fn get_by_address(&self, member: &CoreAddress) -> Option<&CoreValidator> {
        // A `ValidatorSet` is sorted by node id, and `new` keeps its order.
        let at = self.0.members.binary_search_by_key(member, |validator| validator.member).ok()?;
        self.0.members.get(at)
    }
    fn get_by_index(&self, index: usize) -> Option<&CoreValidator> {
        self.0.members.get(index)
    }
}

impl core::Vote<BftContext> for CoreVote {
    fn height(&self) -> Height {
        Height(self.vote.height)
    }
    fn round(&self) -> core::Round {
        core::Round::new(self.vote.round.0)
    }
    fn value(&self) -> &core::NilOrVal<Block> {
        &self.value
    }
    fn take_value(self) -> core::NilOrVal<Block> {
        self.value
    }
    fn vote_type(&self) -> core::VoteType {
        match self.vote.kind {
            VoteKind::Prevote => core::VoteType::Prevote,
            VoteKind::Precommit => core::VoteType::Precommit,
        }
    }
    fn validator_address(&self) -> &CoreAddress {
        &self.member
    }
    fn extension(&self) -> Option<&core::SignedExtension<BftContext>> {
        None
    }
    fn take_extension(&mut self) -> Option<core::SignedExtension<BftContext>> {
        None
    }
    fn extend(self, _: core::SignedExtension<BftContext>) -> Self {
        self
    }
}

impl core::Proposal<BftContext> for CoreProposal {
    fn height(&self) -> Height {
        Height(self.proposal.height)
    }
    fn round(&self) -> core::Round {
        core::Round::new(self.proposal.round.0)
    }
    fn value(&self) -> &Block {
        &self.block
    }
    fn take_value(self) -> Block {
        self.block
    }
    fn pol_round(&self) -> core::Round {
        core::Round::from(self.proposal.valid_round.map(|round| round.0))
    }
    fn validator_address(&self) -> &CoreAddress {
        &self.member
    }
}

/// The core's signature scheme. The core itself neither signs nor verifies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::bft) struct Ed25519;

impl core::SigningScheme for Ed25519 {
    type DecodingError = std::array::TryFromSliceError;
    type Signature = CoreSignature;
    type PublicKey = CoreAddress;
    type PrivateKey = ();

    fn decode_signature(bytes: &[u8]) -> Result<CoreSignature, Self::DecodingError> {
        Ok(CoreSignature(Signature::from_bytes(bytes.try_into()?)))
    }
    fn encode_signature(signature: &CoreSignature) -> Vec<u8> {
        signature.0.as_bytes().to_vec()
    }
    fn decode_public_key(bytes: &[u8]) -> Result<CoreAddress, Self::DecodingError> {
        Ok(CoreAddress(NodeId::from_bytes(bytes.try_into()?)))
    }
    fn encode_public_key(key: &CoreAddress) -> Vec<u8> {
        key.0.as_bytes().to_vec()
    }
}

impl core::Context for BftContext {
    type Address = CoreAddress;
    type Height = Height;
    type ProposalPart = NoProposalParts;
    type Proposal = CoreProposal;
    type Validator = CoreValidator;
    type ValidatorSet = CoreValidatorSet;
    type Timeouts = core::LinearTimeouts;
    type Value = Block;
    type Vote = CoreVote;
    type Extension = ();
    type SigningScheme = Ed25519;

    fn select_proposer<'a>(
        &self,
        members: &'a CoreValidatorSet,
        _: Height,
        round: core::Round,
    ) -> &'a CoreValidator {
        // The set belongs to one height, so its order needs no height. The core's nil round has no
        // proposer.
        members.proposer_of(round.as_u32().unwrap_or(0))
    }

    fn new_proposal(
        &self,
        height: Height,
        round: core::Round,
        block: Block,
        pol_round: core::Round,
        member: CoreAddress,
    ) -> CoreProposal {
        let proposal = Proposal {
            height: height.0,
            round: super::round::round_of(round),
            value: block.0,
            valid_round: pol_round.as_u32().map(Round),
        };
        CoreProposal::new(proposal, member.0)
    }

    fn new_prevote(
        &self,
        height: Height,
        round: core::Round,
        value: core::NilOrVal<Block>,
        member: CoreAddress,
    ) -> CoreVote {
        vote(VoteKind::Prevote, (height, round), value, member)
    }

    fn new_precommit(
        &self,
        height: Height,
        round: core::Round,
        value: core::NilOrVal<Block>,
        member: CoreAddress,
    ) -> CoreVote {
        vote(VoteKind::Precommit, (height, round), value, member)
    }
}

fn vote(
    kind: VoteKind,
    (height, round): (Height, core::Round),
    value: core::NilOrVal<Block>,
    member: CoreAddress,
) -> CoreVote {
    let value = match value {
        core::NilOrVal::Nil => None,
        core::NilOrVal::Val(block) => Some(block.0),
    };
    CoreVote::new(Vote { height: height.0, round: super::round::round_of(round), kind, value }, member.0)
}
