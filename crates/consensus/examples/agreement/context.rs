//! The smallest context that the core runs with.

use std::{fmt, sync::Arc};

use arc_malachitebft_core_types as types;
use nervure_primitives::{NodeId, Signature};
use types::{NilOrVal, Round, VoteType};

use super::{encode_choice, padded};

#[derive(Clone, Copy, Debug)]
pub(super) struct BareContext;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Height(pub(super) u64);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Block(pub(super) u64);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Address(pub(super) NodeId);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct EdSignature(pub(super) Signature);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Validator {
    pub(super) member: Address,
    pub(super) power: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ValidatorSet(pub(super) Arc<[Validator]>);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Vote {
    pub(super) height: Height,
    pub(super) round: Round,
    pub(super) kind: VoteType,
    pub(super) value: NilOrVal<Block>,
    pub(super) member: Address,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Proposal {
    pub(super) height: Height,
    pub(super) round: Round,
    pub(super) block: Block,
    pub(super) pol_round: Round,
    pub(super) member: Address,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct NoProposalParts;

impl Vote {
    pub(super) fn bytes(&self) -> Vec<u8> {
        padded(&[&self.height.0.to_be_bytes(), &self.round.as_i64().to_be_bytes(), &encode_choice(self)])
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

impl PartialOrd for EdSignature {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for EdSignature {
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

display!(Height, Block, Address);

impl types::Address for Address {}

impl types::Height for Height {
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

impl types::ProposalPart<BareContext> for NoProposalParts {
    fn is_first(&self) -> bool {
        true
    }
    fn is_last(&self) -> bool {
        true
    }
}

impl types::Validator<BareContext> for Validator {
    fn address(&self) -> &Address {
        &self.member
    }
    fn public_key(&self) -> &Address {
        &self.member
    }
    fn voting_power(&self) -> u64 {
        self.power
    }
}

impl types::ValidatorSet<BareContext> for ValidatorSet {
    fn count(&self) -> usize {
        self.0.len()
    }
    fn total_voting_power(&self) -> u64 {
        self.0.iter().map(|validator| validator.power).sum()
    }
    fn get_by_address(&self, member: &Address) -> Option<&Validator> {
        self.0.binary_search_by_key(member, |validator| validator.member).ok().map(|at| &self.0[at])
    }
    fn get_by_index(&self, index: usize) -> Option<&Validator> {
        self.0.get(index)
    }
}

impl types::Vote<BareContext> for Vote {
    fn height(&self) -> Height {
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
    fn validator_address(&self) -> &Address {
        &self.member
    }
    fn extension(&self) -> Option<&types::SignedExtension<BareContext>> {
        None
    }
    fn take_extension(&mut self) -> Option<types::SignedExtension<BareContext>> {
        None
    }
    fn extend(self, _: types::SignedExtension<BareContext>) -> Self {
        self
    }
}

impl types::Proposal<BareContext> for Proposal {
    fn height(&self) -> Height {
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
    fn validator_address(&self) -> &Address {
        &self.member
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ed25519;

impl types::SigningScheme for Ed25519 {
    type DecodingError = std::array::TryFromSliceError;
    type Signature = EdSignature;
    type PublicKey = Address;
    type PrivateKey = ();

    fn decode_signature(bytes: &[u8]) -> Result<EdSignature, Self::DecodingError> {
        Ok(EdSignature(Signature::from_bytes(bytes.try_into()?)))
    }
    fn encode_signature(signature: &EdSignature) -> Vec<u8> {
        signature.0.as_bytes().to_vec()
    }
    fn decode_public_key(bytes: &[u8]) -> Result<Address, Self::DecodingError> {
        Ok(Address(NodeId::from_bytes(bytes.try_into()?)))
    }
    fn encode_public_key(key: &Address) -> Vec<u8> {
        key.0.as_bytes().to_vec()
    }
}

impl types::Context for BareContext {
    type Address = Address;
    type Height = Height;
    type ProposalPart = NoProposalParts;
    type Proposal = Proposal;
    type Validator = Validator;
    type ValidatorSet = ValidatorSet;
    type Timeouts = types::LinearTimeouts;
    type Value = Block;
    type Vote = Vote;
    type Extension = ();
    type SigningScheme = Ed25519;

    fn select_proposer<'a>(&self, members: &'a ValidatorSet, height: Height, round: Round) -> &'a Validator {
        let turn = height.0 as usize + round.as_u32().unwrap_or(0) as usize;
        &members.0[turn % members.0.len()]
    }

    fn new_proposal(
        &self,
        height: Height,
        round: Round,
        block: Block,
        pol_round: Round,
        member: Address,
    ) -> Proposal {
        Proposal { height, round, block, pol_round, member }
    }

    fn new_prevote(&self, height: Height, round: Round, value: NilOrVal<Block>, member: Address) -> Vote {
        Vote { height, round, kind: VoteType::Prevote, value, member }
    }

    fn new_precommit(&self, height: Height, round: Round, value: NilOrVal<Block>, member: Address) -> Vote {
        Vote { height, round, kind: VoteType::Precommit, value, member }
    }
}
