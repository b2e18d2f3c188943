//! Signed transactions: what an owner or a node may ask of the ledger.
//!
//! A transaction travels in an [`Envelope`] whose signature covers the mesh id, so that it is worth
//! nothing on another mesh. It carries the nonce of its signer, the most that it pays, and the last block at
//! which it holds. `execute` checks, in this order: size, signature and form; expiry; nonce; payment; the weight of the
//! block. What fails there makes a block invalid. Then come the rules of its kind: a transaction that breaks one is
//! rejected, but paid for.
//!
//! A kind is a file that implements `TransactionKind`. This file lists the kinds: [`Call`] has what each carries,
//! [`Outcome`] what each did.
//!
//! What a hostile signer can do: fill blocks for as long as it pays the base fee, which rises with every full block. What
//! it cannot: make the decoder allocate more than [`MAX_LEN`] bytes, have a transaction carried out twice, or have one in
//! a block that no account pays for.

mod checked;
mod commit_weights;
mod execute;
mod join_validators;
mod kind;
mod leave_validators;
mod register_anchor_key;
mod register_neuron;
mod register_node;
mod register_subnet;
mod rejection;
mod report_equivocation;
mod reveal_weights;
mod set_hyperparameter;
mod set_mechanism;
mod set_take;
mod set_weights;
mod stake;
mod swap_key;
mod transfer;
mod unstake;
mod vote_subnets;
mod weight;
mod weights;

use nervure_primitives::{
    Amount, BlockHeight, Domain, Envelope, EnvelopeError, MeshId, NodeId, NodeKey, cbor,
};
use serde::{Deserialize, Serialize};

pub use checked::{Checked, SignedTransaction};
pub use commit_weights::{CommitWeights, CommitWeightsOutcome};
pub(crate) use execute::{Execution, Payment, admit};
pub use join_validators::{JoinValidators, JoinValidatorsOutcome};
pub(crate) use kind::TransactionKind;
pub use kind::{Description, SignerKey};
pub use leave_validators::{LeaveValidators, LeaveValidatorsOutcome};
pub use register_anchor_key::{RegisterAnchorKey, RegisterAnchorKeyOutcome};
pub use register_neuron::{RegisterNeuron, RegisterNeuronOutcome};
pub use register_node::{RegisterNode, RegisterNodeOutcome, consent};
pub use register_subnet::{RegisterSubnet, RegisterSubnetOutcome};
pub use rejection::Rejection;
pub use report_equivocation::{ReportEquivocation, ReportEquivocationOutcome};
pub use reveal_weights::{RevealWeights, RevealWeightsOutcome, commitment};
pub use set_hyperparameter::{SetHyperparameter, SetHyperparameterOutcome};
pub use set_mechanism::{SetMechanism, SetMechanismOutcome};
pub use set_take::{SetTake, SetTakeOutcome};
pub use set_weights::{SetWeights, SetWeightsOutcome};
pub use stake::{Stake, StakeOutcome};
pub use swap_key::{SwapKey, SwapKeyOutcome};
pub use transfer::{Transfer, TransferOutcome};
pub use unstake::{Unstake, UnstakeOutcome};
pub use vote_subnets::{VoteSubnets, VoteSubnetsOutcome};

use crate::{lane::LaneScope, state::LedgerState};

/// What a transaction's signature is for.
pub const DOMAIN: Domain = Domain::new("nervure/transaction/1");

/// Largest body of a transaction in bytes: a row of 256 weights fits several times.
pub const MAX_LEN: usize = 8 * 1024;

/// The least weight of a transaction with a body of `bytes`.
#[cfg(test)]
pub(crate) fn least_weight(bytes: usize) -> u64 {
    weight::whole(0, bytes)
}

/// One request of a signer to the ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Transaction {
    /// The signer's next nonce.
    pub nonce: u64,
    /// The most that is paid for it: its weight at the base fee of its block, which is recycled, and the tip. Of a node
    /// key, zero claims the lane of validators; otherwise the owner of the node pays.
    pub fee: Amount,
    /// The most that the proposer of its block gets out of what the base fee leaves of [`Self::fee`].
    pub tip: Amount,
    /// The last block that may carry it.
    pub expiry: BlockHeight,
    /// What to do.
    pub call: Call,
}

/// What a transaction does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Call {
    /// Transfers tokens.
    Transfer(Transfer),
    /// Makes a node key the signer's.
    RegisterNode(RegisterNode),
    /// Replaces a node key.
    SwapKey(SwapKey),
    /// Sets what a node keeps of its stakers' dividends.
    SetTake(SetTake),
    /// Puts stake behind a node.
    Stake(Stake),
    /// Takes stake back.
    Unstake(Unstake),
    /// Founds a subnet.
    RegisterSubnet(RegisterSubnet),
    /// Takes a slot in a subnet.
    RegisterNeuron(RegisterNeuron),
    /// Changes a rule of the signer's subnet.
    SetHyperparameter(SetHyperparameter),
    /// Changes how tasks are set in the signer's subnet.
    SetMechanism(SetMechanism),
    /// Signed by a node key: sets weights in a subnet without commit-reveal.
    SetWeights(SetWeights),
    /// Signed by a node key: promises weights without showing them.
    CommitWeights(CommitWeights),
    /// Signed by a node key: shows promised weights.
    RevealWeights(RevealWeights),
    /// Signed by a node key: says how the emission should be shared among subnets.
    VoteSubnets(VoteSubnets),
    /// Signed by a node key: says which key it signs checkpoints with.
    RegisterAnchorKey(RegisterAnchorKey),
    /// Lets a node of the signer make blocks.
    JoinValidators(JoinValidators),
    /// A node of the signer makes no more blocks.
    LeaveValidators(LeaveValidators),
    /// Signed by a node key: shows that a validator equivocated.
    ReportEquivocation(ReportEquivocation),
}

/// What a transaction did: the outcome of each kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Tokens were transferred.
    Transferred(TransferOutcome),
    /// A node key has an owner.
    NodeRegistered(RegisterNodeOutcome),
    /// A node has another key.
    KeySwapped(SwapKeyOutcome),
    /// A node keeps another part of its stakers' dividends.
    TakeSet(SetTakeOutcome),
    /// A node has more stake.
    Staked(StakeOutcome),
    /// A node has less stake.
    Unstaked(UnstakeOutcome),
    /// A subnet exists, with its owner's node in slot 0.
    SubnetRegistered(RegisterSubnetOutcome),
    /// A node has a slot.
    NeuronRegistered(RegisterNeuronOutcome),
    /// A subnet has another rule.
    HyperparameterSet(SetHyperparameterOutcome),
    /// A subnet has another mechanism.
    MechanismSet(SetMechanismOutcome),
    /// Weights count from now on.
    WeightsSet(SetWeightsOutcome),
    /// Weights are committed.
    WeightsCommitted(CommitWeightsOutcome),
    /// Weights that were committed count from now on.
    WeightsRevealed(RevealWeightsOutcome),
    /// A vote is known from now on.
    Voted(VoteSubnetsOutcome),
    /// A node signs checkpoints with another key, from the next election on.
    AnchorKeyRegistered(RegisterAnchorKeyOutcome),
    /// A node makes blocks if it is elected.
    ValidatorJoined(JoinValidatorsOutcome),
    /// A node is not elected any more.
    ValidatorLeft(LeaveValidatorsOutcome),
    /// A validator equivocated, is slashed and makes no blocks any more.
    EquivocationReported(ReportEquivocationOutcome),
}

/// Evaluates `$body` with `$kind` bound to what the call carries, as the type of its kind.
macro_rules! with_kind {
    ($call:expr, $kind:ident => $body:expr) => {
        match $call {
            Call::Transfer($kind) => $body,
            Call::RegisterNode($kind) => $body,
            Call::SwapKey($kind) => $body,
            Call::SetTake($kind) => $body,
            Call::Stake($kind) => $body,
            Call::Unstake($kind) => $body,
            Call::RegisterSubnet($kind) => $body,
            Call::RegisterNeuron($kind) => $body,
            Call::SetHyperparameter($kind) => $body,
            Call::SetMechanism($kind) => $body,
            Call::SetWeights($kind) => $body,
            Call::CommitWeights($kind) => $body,
            Call::RevealWeights($kind) => $body,
            Call::VoteSubnets($kind) => $body,
            Call::RegisterAnchorKey($kind) => $body,
            Call::JoinValidators($kind) => $body,
            Call::LeaveValidators($kind) => $body,
            Call::ReportEquivocation($kind) => $body,
        }
    };
}

impl Call {
    /// The key that signs it.
    pub fn signer(&self) -> SignerKey {
        fn of<K: TransactionKind>(_: &K) -> SignerKey {
            K::SIGNER
        }
        with_kind!(self, kind => of(kind))
    }

    /// Where it counts when a validator sends it for free.
    pub(crate) fn lane(&self) -> Option<LaneScope> {
        with_kind!(self, kind => kind.lane())
    }

    /// The most that it takes from the account of its signer, beside the fee, in base units.
    pub(crate) fn spends(&self, state: &LedgerState) -> u64 {
        with_kind!(self, kind => kind.spends(state))
    }

    /// Applies it for `signer`, or rejects it without a trace.
    pub(crate) fn apply(&self, state: &mut LedgerState, signer: NodeId) -> Result<Outcome, Rejection> {
        Ok(match self {
            Self::Transfer(call) => Outcome::Transferred(call.apply(state, signer)?),
            Self::RegisterNode(call) => Outcome::NodeRegistered(call.apply(state, signer)?),
            Self::SwapKey(call) => Outcome::KeySwapped(call.apply(state, signer)?),
            Self::SetTake(call) => Outcome::TakeSet(call.apply(state, signer)?),
            Self::Stake(call) => Outcome::Staked(call.apply(state, signer)?),
            Self::Unstake(call) => Outcome::Unstaked(call.apply(state, signer)?),
            Self::RegisterSubnet(call) => Outcome::SubnetRegistered(call.apply(state, signer)?),
            Self::RegisterNeuron(call) => Outcome::NeuronRegistered(call.apply(state, signer)?),
            Self::SetHyperparameter(call) => Outcome::HyperparameterSet(call.apply(state, signer)?),
            Self::SetMechanism(call) => Outcome::MechanismSet(call.apply(state, signer)?),
            Self::SetWeights(call) => Outcome::WeightsSet(call.apply(state, signer)?),
            Self::CommitWeights(call) => Outcome::WeightsCommitted(call.apply(state, signer)?),
            Self::RevealWeights(call) => Outcome::WeightsRevealed(call.apply(state, signer)?),
            Self::VoteSubnets(call) => Outcome::Voted(call.apply(state, signer)?),
            Self::RegisterAnchorKey(call) => Outcome::AnchorKeyRegistered(call.apply(state, signer)?),
            Self::JoinValidators(call) => Outcome::ValidatorJoined(call.apply(state, signer)?),
            Self::LeaveValidators(call) => Outcome::ValidatorLeft(call.apply(state, signer)?),
            Self::ReportEquivocation(call) => Outcome::EquivocationReported(call.apply(state, signer)?),
        })
    }

    /// The next step of a user whose transaction with this call is rejected.
    pub fn hint(&self, rejection: &Rejection) -> &'static str {
        with_kind!(self, kind => kind.hint(rejection))
    }
}

impl Outcome {
    /// The outcome in words, for users.
    pub fn description(&self) -> Description {
        match self {
            Self::Transferred(outcome) => Transfer::description(outcome),
            Self::NodeRegistered(outcome) => RegisterNode::description(outcome),
            Self::KeySwapped(outcome) => SwapKey::description(outcome),
            Self::TakeSet(outcome) => SetTake::description(outcome),
            Self::Staked(outcome) => Stake::description(outcome),
            Self::Unstaked(outcome) => Unstake::description(outcome),
            Self::SubnetRegistered(outcome) => RegisterSubnet::description(outcome),
            Self::NeuronRegistered(outcome) => RegisterNeuron::description(outcome),
            Self::HyperparameterSet(outcome) => SetHyperparameter::description(outcome),
            Self::MechanismSet(outcome) => SetMechanism::description(outcome),
            Self::WeightsSet(outcome) => SetWeights::description(outcome),
            Self::WeightsCommitted(outcome) => CommitWeights::description(outcome),
            Self::WeightsRevealed(outcome) => RevealWeights::description(outcome),
            Self::Voted(outcome) => VoteSubnets::description(outcome),
            Self::AnchorKeyRegistered(outcome) => RegisterAnchorKey::description(outcome),
            Self::ValidatorJoined(outcome) => JoinValidators::description(outcome),
            Self::ValidatorLeft(outcome) => LeaveValidators::description(outcome),
            Self::EquivocationReported(outcome) => ReportEquivocation::description(outcome),
        }
    }
}

impl Transaction {
    /// Its weight, with an encoding of `bytes`.
    pub(crate) fn weight(&self, bytes: usize) -> u64 {
        weight::whole(with_kind!(&self.call, kind => kind.weight()), bytes)
    }

    /// The most that its weight can be, whatever its fee, tip, nonce and expiry are: what a sender asks the price of.
    pub fn greatest_weight(call: &Call) -> u64 {
        let most = Amount::from_base_units(u64::MAX);
        let sample =
            Self { nonce: u64::MAX, fee: most, tip: most, expiry: BlockHeight(u64::MAX), call: call.clone() };
        sample.weight(cbor::encode(&sample).map_or(MAX_LEN, |bytes| bytes.len()))
    }

    /// Signs it for `mesh`.
    ///
    /// # Errors
    /// None in practice: what a transaction is made of always encodes.
    pub fn seal(&self, key: &NodeKey, mesh: &MeshId) -> Result<Envelope, EnvelopeError> {
        Envelope::seal(key, DOMAIN, mesh, self)
    }
}
