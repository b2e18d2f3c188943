//! Our identifiers, votes and validators in the shape that the core is generic over.

use std::{fmt, sync::Arc};

use arc_malachitebft_core_types as core;
use nervure_primitives::{BlockHeight, Hash, MeshId, NodeId, Signature};

use crate::{
    bft::{Proposal, Vote, VoteKind, proposer},
    checkpoint::ValidatorSet,
};

/// The context: which types the core works with, and how statements are made.
#[derive(Clone, Copy, Debug)]
pub(in crate::bft) struct Agreement;

/// A height.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::bft) struct Height(pub(in crate::bft) BlockHeight);

/// A validator by its node id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::bft) struct Member(pub(in crate::bft) NodeId);

/// A block by its hash: to the core it is value and value id in one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::bft) struct Block(pub(in crate::bft) Hash);

/// A signature; ordered by its bytes because the core wants an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::bft) struct Sig(pub(in crate::bft) Signature);

impl Sig {
    /// What stands where the signer refused to sign. It verifies for nobody and is never sent.
    pub(in crate::bft) const NONE: Self = Self(Signature::from_bytes([0; 64]));
}

impl PartialOrd for Sig {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Sig {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.as_bytes().cmp(other.0.as_bytes())
    }
}

/// The validators of one height in the order in which they propose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::bft) struct Members(Arc<Inner>);

#[derive(Debug, PartialEq, Eq)]
struct Inner {
    members: Vec<Seat>,
    order: Vec<usize>,
    total: u64,
}

/// A validator with its power.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::bft) struct Seat {
    member: Member,
    power: u64,
}

impl Members {
    pub(in crate::bft) fn new(mesh: &MeshId, height: BlockHeight, validators: &ValidatorSet) -> Self {
        let members = validators.members().iter();
        let members = members.map(|v| Seat { member: Member(v.node), power: v.power }).collect();
        let order = proposer::order(mesh, height, validators);
        Self(Arc::new(Inner { members, order, total: validators.total_power() }))
    }

    fn proposer_seat(&self, round: u32) -> &Seat {
        // Neither is empty: a validator set has members, and all of them are drawn.
        let at = self.0.order[round as usize % self.0.order.len()];
        &self.0.members[at]
    }

    /// The proposer of `round`.
    pub(in crate::bft) fn proposer(&self, round: u32) -> NodeId {
        self.proposer_seat(round).member.0
    }
}

/// A vote as the core keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::bft) struct CoreVote {
    pub(in crate::bft) vote: Vote,
    value: core::NilOrVal<Block>,
    member: Member,
}

impl CoreVote {
    pub(in crate::bft) fn new(vote: Vote, member: NodeId) -> Self {
        let value = vote.value.map_or(core::NilOrVal::Nil, |value| core::NilOrVal::Val(Block(value)));
        Self { vote, value, member: Member(member) }
    }
}

/// A proposal as the core keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::bft) struct CoreProposal {
    pub(in crate::bft) proposal: Proposal,
    block: Block,
    member: Member,
}

impl CoreProposal {
    pub(in crate::bft) fn new(proposal: Proposal, member: NodeId) -> Self {
        Self { proposal, block: Block(proposal.value), member: Member(member) }
    }
}

/// Blocks travel outside of agreement, so there are no parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::bft) struct NoParts;

impl core::ProposalPart<Agreement> for NoParts {
    fn is_first(&self) -> bool {
        true
    }
    fn is_last(&self) -> bool {
        true
    }
}

impl fmt::Display for Member {
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

impl core::Address for Member {}

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

impl core::Validator<Agreement> for Seat {
    fn address(&self) -> &Member {
        &self.member
    }
    fn public_key(&self) -> &Member {
        &self.member
    }
    fn voting_power(&self) -> u64 {
        self.power
    }
}

impl core::ValidatorSet<Agreement> for Members {
    fn count(&self) -> usize {
        self.0.members.len()
    }
    fn total_voting_power(&self) -> u64 {
        self.0.total
    }
    fn get_by_address(&self, member: &Member) -> Option<&Seat> {
        let at = self.0.members.binary_search_by_key(member, |seat| seat.member).ok()?;
        self.0.members.get(at)
    }
    fn get_by_index(&self, index: usize) -> Option<&Seat> {
        self.0.members.get(index)
    }
}

impl core::Vote<Agreement> for CoreVote {
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
    fn validator_address(&self) -> &Member {
        &self.member
    }
    fn extension(&self) -> Option<&core::SignedExtension<Agreement>> {
        None
    }
    fn take_extension(&mut self) -> Option<core::SignedExtension<Agreement>> {
        None
    }
    fn extend(self, _: core::SignedExtension<Agreement>) -> Self {
        self
    }
}

impl core::Proposal<Agreement> for CoreProposal {
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
    fn validator_address(&self) -> &Member {
        &self.member
    }
}

/// Keys and signatures as the core names them; it never signs or verifies by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::bft) struct Ed25519;

impl core::SigningScheme for Ed25519 {
    type DecodingError = std::array::TryFromSliceError;
    type Signature = Sig;
    type PublicKey = Member;
    type PrivateKey = ();

    fn decode_signature(bytes: &[u8]) -> Result<Sig, Self::DecodingError> {
        Ok(Sig(Signature::from_bytes(bytes.try_into()?)))
    }
    fn encode_signature(signature: &Sig) -> Vec<u8> {
        signature.0.as_bytes().to_vec()
    }
    fn decode_public_key(bytes: &[u8]) -> Result<Member, Self::DecodingError> {
        Ok(Member(NodeId::from_bytes(bytes.try_into()?)))
    }
    fn encode_public_key(key: &Member) -> Vec<u8> {
        key.0.as_bytes().to_vec()
    }
}

impl core::Context for Agreement {
    type Address = Member;
    type Height = Height;
    type ProposalPart = NoParts;
    type Proposal = CoreProposal;
    type Validator = Seat;
    type ValidatorSet = Members;
    type Timeouts = core::LinearTimeouts;
    type Value = Block;
    type Vote = CoreVote;
    type Extension = ();
    type SigningScheme = Ed25519;

    fn select_proposer<'a>(&self, members: &'a Members, _: Height, round: core::Round) -> &'a Seat {
        members.proposer_seat(round.as_u32().unwrap_or(0))
    }

    fn new_proposal(
        &self,
        height: Height,
        round: core::Round,
        block: Block,
        pol_round: core::Round,
        member: Member,
    ) -> CoreProposal {
        let proposal = Proposal {
            height: height.0,
            round: super::round_of(round),
            value: block.0,
            valid_round: pol_round.as_u32().map(crate::bft::Round),
        };
        CoreProposal::new(proposal, member.0)
    }

    fn new_prevote(
        &self,
        height: Height,
        round: core::Round,
        value: core::NilOrVal<Block>,
        member: Member,
    ) -> CoreVote {
        vote(VoteKind::Prevote, (height, round), value, member)
    }

    fn new_precommit(
        &self,
        height: Height,
        round: core::Round,
        value: core::NilOrVal<Block>,
        member: Member,
    ) -> CoreVote {
        vote(VoteKind::Precommit, (height, round), value, member)
    }
}

fn vote(
    kind: VoteKind,
    (height, round): (Height, core::Round),
    value: core::NilOrVal<Block>,
    member: Member,
) -> CoreVote {
    let value = match value {
        core::NilOrVal::Nil => None,
        core::NilOrVal::Val(block) => Some(block.0),
    };
    CoreVote::new(Vote { height: height.0, round: super::round_of(round), kind, value }, member.0)
}
