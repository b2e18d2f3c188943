//! The smallest context that the core runs with.

use std::{fmt, sync::Arc};

use arc_malachitebft_core_types as types;
use nervure_primitives::{NodeId, Signature};
use types::{NilOrVal, Round, VoteType};

use super::{padded, spell};

#[derive(Clone, Copy, Debug)]
pub(super) struct Bare;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Number(pub(super) u64);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Block(pub(super) u64);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Member(pub(super) NodeId);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sig(pub(super) Signature);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Seat {
    pub(super) member: Member,
    pub(super) power: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Members(pub(super) Arc<[Seat]>);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Vote {
    pub(super) height: Number,
    pub(super) round: Round,
    pub(super) kind: VoteType,
    pub(super) value: NilOrVal<Block>,
    pub(super) member: Member,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Proposal {
    pub(super) height: Number,
    pub(super) round: Round,
    pub(super) block: Block,
    pub(super) pol_round: Round,
    pub(super) member: Member,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct NoParts;

impl Vote {
    pub(super) fn bytes(&self) -> Vec<u8> {
        padded(&[&self.height.0.to_be_bytes(), &self.round.as_i64().to_be_bytes(), &spell(self)])
    }
}

impl Proposal {
    pub(super) fn bytes(&self) -> Vec<u8> {
        padded(&[
            &self.height.0.to_be_bytes(),
            &self.round.as_i64().to_be_bytes(),
            &self.block.0.to_be_bytes(),
        ])
    }
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

macro_rules! display {
    ($($name:ident),*) => {
        $(impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", self.0)
            }
        })*
    };
}

display!(Number, Block, Member);

impl types::Address for Member {}

impl types::Height for Number {
    const ZERO: Self = Self(0);
    const INITIAL: Self = Self(1);

    fn increment_by(&self, n: u64) -> Self {
        Self(self.0 + n)
    }
    fn decrement_by(&self, n: u64) -> Option<Self> {
        self.0.checked_sub(n).map(Self)
    }
    fn as_u64(&self) -> u64 {
        self.0
    }
}

impl types::Value for Block {
    type Id = Self;

    fn id(&self) -> Self {
        *self
    }
}

impl types::ProposalPart<Bare> for NoParts {
    fn is_first(&self) -> bool {
        true
    }
    fn is_last(&self) -> bool {
        true
    }
}

impl types::Validator<Bare> for Seat {
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

impl types::ValidatorSet<Bare> for Members {
    fn count(&self) -> usize {
        self.0.len()
    }
    fn total_voting_power(&self) -> u64 {
        self.0.iter().map(|seat| seat.power).sum()
    }
    fn get_by_address(&self, member: &Member) -> Option<&Seat> {
        self.0.binary_search_by_key(member, |seat| seat.member).ok().map(|at| &self.0[at])
    }
    fn get_by_index(&self, index: usize) -> Option<&Seat> {
        self.0.get(index)
    }
}

impl types::Vote<Bare> for Vote {
    fn height(&self) -> Number {
        self.height
    }
    fn round(&self) -> Round {
        self.round
    }
    fn value(&self) -> &NilOrVal<Block> {
        &self.value
    }
    fn take_value(self) -> NilOrVal<Block> {
        self.value
    }
    fn vote_type(&self) -> VoteType {
        self.kind
    }
    fn validator_address(&self) -> &Member {
        &self.member
    }
    fn extension(&self) -> Option<&types::SignedExtension<Bare>> {
        None
    }
    fn take_extension(&mut self) -> Option<types::SignedExtension<Bare>> {
        None
    }
    fn extend(self, _: types::SignedExtension<Bare>) -> Self {
        self
    }
}

impl types::Proposal<Bare> for Proposal {
    fn height(&self) -> Number {
        self.height
    }
    fn round(&self) -> Round {
        self.round
    }
    fn value(&self) -> &Block {
        &self.block
    }
    fn take_value(self) -> Block {
        self.block
    }
    fn pol_round(&self) -> Round {
        self.pol_round
    }
    fn validator_address(&self) -> &Member {
        &self.member
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ed25519;

impl types::SigningScheme for Ed25519 {
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

impl types::Context for Bare {
    type Address = Member;
    type Height = Number;
    type ProposalPart = NoParts;
    type Proposal = Proposal;
    type Validator = Seat;
    type ValidatorSet = Members;
    type Timeouts = types::LinearTimeouts;
    type Value = Block;
    type Vote = Vote;
    type Extension = ();
    type SigningScheme = Ed25519;

    fn select_proposer<'a>(&self, members: &'a Members, height: Number, round: Round) -> &'a Seat {
        let turn = height.0 as usize + round.as_u32().unwrap_or(0) as usize;
        &members.0[turn % members.0.len()]
    }

    fn new_proposal(
        &self,
        height: Number,
        round: Round,
        block: Block,
        pol_round: Round,
        member: Member,
    ) -> Proposal {
        Proposal { height, round, block, pol_round, member }
    }

    fn new_prevote(&self, height: Number, round: Round, value: NilOrVal<Block>, member: Member) -> Vote {
        Vote { height, round, kind: VoteType::Prevote, value, member }
    }

    fn new_precommit(&self, height: Number, round: Round, value: NilOrVal<Block>, member: Member) -> Vote {
        Vote { height, round, kind: VoteType::Precommit, value, member }
    }
}
