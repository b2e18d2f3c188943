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

mod ahead;
mod announce_call;
mod batch;
mod cancel_announcement;
mod checked;
mod claim_vested;
mod commit_weights;
mod deregister_neuron;
mod deregister_node;
mod execute;
mod form;
mod join_validators;
mod kind;
mod leave_validators;
mod move_stake;
mod multisig_call;
#[cfg(feature = "next-version")]
mod noop;
mod proxy_call;
mod register_anchor_key;
mod register_neuron;
mod register_node;
mod register_subnet;
mod rejection;
mod remove_proxy;
mod report_equivocation;
mod reveal_weights;
mod rotate_owner;
#[cfg(test)]
mod sample;
mod set_hyperparameter;
mod set_mechanism;
mod set_proxy;
mod set_take;
mod set_weights;
mod stake;
mod submit_proposal;
mod swap_key;
#[cfg(test)]
mod tests;
mod transfer;
mod transfer_vested;
mod unstake;
mod vote_proposal;
mod vote_subnets;
mod weight;
mod weights;

use nervure_primitives::{
    Amount, BlockHeight, Domain, Envelope, EnvelopeError, MeshId, NodeId, NodeKey, cbor,
};
use serde::{Deserialize, Serialize};

pub use ahead::CheckedAhead;
pub use announce_call::{AnnounceCall, AnnounceCallOutcome};
pub use batch::{Batch, BatchOutcome, MAX_BATCH_CALLS, MAX_BATCH_WEIGHT};
pub use cancel_announcement::{CancelAnnouncement, CancelAnnouncementOutcome};
pub use checked::{Checked, SignedTransaction};
pub use claim_vested::{ClaimVested, ClaimVestedOutcome};
pub use commit_weights::{CommitWeights, CommitWeightsOutcome};
pub use deregister_neuron::{DeregisterNeuron, DeregisterNeuronOutcome};
pub use deregister_node::{DeregisterNode, DeregisterNodeOutcome};
pub(crate) use execute::{Execution, Payment, admit};
pub use form::FormError;
pub(crate) use form::Rank;
pub use join_validators::{JoinValidators, JoinValidatorsOutcome};
pub(crate) use kind::TransactionKind;
pub use kind::{Description, SignerKey};
pub use leave_validators::{LeaveValidators, LeaveValidatorsOutcome};
pub use move_stake::{MoveStake, MoveStakeOutcome};
pub use multisig_call::{MultisigCall, MultisigOutcome};
#[cfg(feature = "next-version")]
pub use noop::{Noop, NoopOutcome};
pub use proxy_call::{ProxyCall, ProxyOutcome};
pub use register_anchor_key::{RegisterAnchorKey, RegisterAnchorKeyOutcome};
pub use register_neuron::{RegisterNeuron, RegisterNeuronOutcome};
pub use register_node::{RegisterNode, RegisterNodeOutcome, consent, consented_owner};
pub use register_subnet::{RegisterSubnet, RegisterSubnetOutcome};
pub use rejection::{
    CallRejection, FundsRejection, GovernanceRejection, InclusionRejection, NodeRejection, NodeUse,
    ProxyRejection, Rejection, StakeRejection, SubnetRejection, ValidatorRejection, WeightsRejection,
};
pub use remove_proxy::{RemoveProxy, RemoveProxyOutcome};
pub use report_equivocation::{ReportEquivocation, ReportEquivocationOutcome};
pub use reveal_weights::{RevealWeights, RevealWeightsOutcome, commitment};
pub use rotate_owner::{
    Holding, MAX_HOLDINGS, MAX_UNBONDING, RotateOwner, RotateOwnerOutcome, owner_consent,
};
#[cfg(test)]
pub(crate) use sample::{AnySample, Sample};
pub use set_hyperparameter::{SetHyperparameter, SetHyperparameterOutcome};
pub use set_mechanism::{SetMechanism, SetMechanismOutcome};
pub use set_proxy::{SetProxy, SetProxyOutcome};
pub use set_take::{SetTake, SetTakeOutcome};
pub use set_weights::{SetWeights, SetWeightsOutcome};
pub use stake::{Stake, StakeOutcome};
pub use submit_proposal::{SubmitProposal, SubmitProposalOutcome};
pub use swap_key::{SwapKey, SwapKeyOutcome};
pub use transfer::{MAX_MEMO_BYTES, Memo, Transfer, TransferOutcome};
pub use transfer_vested::{TransferVested, TransferVestedOutcome};
pub use unstake::{Unstake, UnstakeOutcome};
pub use vote_proposal::{VoteProposal, VoteProposalOutcome};
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
    /// Moves stake to another node.
    MoveStake(MoveStake),
    /// Gives what the signer holds to another owner key.
    RotateOwner(RotateOwner),
    /// Proposes a decision to the token holders.
    SubmitProposal(SubmitProposal),
    /// Votes on a proposal with stakes.
    VoteProposal(VoteProposal),
    /// Removes a node of the signer that is not used any more.
    DeregisterNode(DeregisterNode),
    /// Leaves a slot in a subnet.
    DeregisterNeuron(DeregisterNeuron),
    /// Does nothing, from protocol version 2 on.
    #[cfg(feature = "next-version")]
    Noop(Noop),
    /// Carries out several calls, or none.
    Batch(Batch),
    /// Does something for a threshold account.
    Multisig(MultisigCall),
    /// Lets a key act for the signer.
    SetProxy(SetProxy),
    /// Takes a key's right to act for the signer back.
    RemoveProxy(RemoveProxy),
    /// Does something for an owner, as its proxy.
    Proxy(ProxyCall),
    /// Announces what the signer will do as a proxy.
    Announce(AnnounceCall),
    /// Cancels what a proxy announced.
    CancelAnnouncement(CancelAnnouncement),
    /// Pays an amount that becomes free little by little.
    TransferVested(TransferVested),
    /// Claims what has vested.
    ClaimVested(ClaimVested),
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
    /// A stake is on another node.
    StakeMoved(MoveStakeOutcome),
    /// Nodes, stakes, subnets and what is unbonding have another owner.
    OwnerRotated(RotateOwnerOutcome),
    /// Stake can vote on a proposal.
    ProposalSubmitted(SubmitProposalOutcome),
    /// Stakes voted on a proposal.
    ProposalVoted(VoteProposalOutcome),
    /// A node is none any more, and its deposits are given back.
    NodeDeregistered(DeregisterNodeOutcome),
    /// A node has left its slot.
    NeuronDeregistered(DeregisterNeuronOutcome),
    /// Nothing was done.
    #[cfg(feature = "next-version")]
    DidNothing(NoopOutcome),
    /// Several calls were carried out.
    BatchApplied(BatchOutcome),
    /// A threshold account did something.
    MultisigApplied(MultisigOutcome),
    /// A key may act for an owner.
    ProxySet(SetProxyOutcome),
    /// A key acts for an owner no more.
    ProxyRemoved(RemoveProxyOutcome),
    /// A proxy did something for an owner.
    ProxyApplied(ProxyOutcome),
    /// A proxy announced a call.
    Announced(AnnounceCallOutcome),
    /// What a proxy announced is cancelled.
    AnnouncementCancelled(CancelAnnouncementOutcome),
    /// An amount becomes free little by little.
    VestedTransferred(TransferVestedOutcome),
    /// What has vested is in the balance.
    VestedClaimed(ClaimVestedOutcome),
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
            Call::MoveStake($kind) => $body,
            Call::RotateOwner($kind) => $body,
            Call::SubmitProposal($kind) => $body,
            Call::VoteProposal($kind) => $body,
            Call::DeregisterNode($kind) => $body,
            Call::DeregisterNeuron($kind) => $body,
            #[cfg(feature = "next-version")]
            Call::Noop($kind) => $body,
            Call::Batch($kind) => $body,
            Call::Multisig($kind) => $body,
            Call::SetProxy($kind) => $body,
            Call::RemoveProxy($kind) => $body,
            Call::Proxy($kind) => $body,
            Call::Announce($kind) => $body,
            Call::CancelAnnouncement($kind) => $body,
            Call::TransferVested($kind) => $body,
            Call::ClaimVested($kind) => $body,
        }
    };
}

// By its path, for the modules above it.
use with_kind;

impl Call {
    /// The key that signs it.
    pub fn signer(&self) -> SignerKey {
        fn of<K: TransactionKind>(_: &K) -> SignerKey {
            K::SIGNER
        }
        with_kind!(self, kind => of(kind))
    }

    /// The first protocol version whose blocks may have it, and what is inside of it.
    pub(crate) fn since(&self) -> u32 {
        fn of<K: TransactionKind>(_: &K) -> u32 {
            K::SINCE
        }
        let inside = self.inside().iter().map(Self::since).max();
        with_kind!(self, kind => of(kind)).max(inside.unwrap_or(0))
    }

    /// Where it counts when a validator sends it for free.
    pub(crate) fn lane(&self) -> Option<LaneScope> {
        with_kind!(self, kind => kind.lane())
    }

    /// The most that it takes from the account of its signer, beside the fee, in base units.
    pub(crate) fn spends(&self, state: &LedgerState) -> u64 {
        with_kind!(self, kind => kind.spends(state))
    }

    /// Whether it spends all that the signer's account holds.
    pub(crate) fn closes_account(&self) -> bool {
        with_kind!(self, kind => kind.closes_account())
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
            Self::MoveStake(call) => Outcome::StakeMoved(call.apply(state, signer)?),
            Self::RotateOwner(call) => Outcome::OwnerRotated(call.apply(state, signer)?),
            Self::SubmitProposal(call) => Outcome::ProposalSubmitted(call.apply(state, signer)?),
            Self::VoteProposal(call) => Outcome::ProposalVoted(call.apply(state, signer)?),
            Self::DeregisterNode(call) => Outcome::NodeDeregistered(call.apply(state, signer)?),
            Self::DeregisterNeuron(call) => Outcome::NeuronDeregistered(call.apply(state, signer)?),
            #[cfg(feature = "next-version")]
            Self::Noop(call) => Outcome::DidNothing(call.apply(state, signer)?),
            Self::Batch(call) => Outcome::BatchApplied(call.apply(state, signer)?),
            Self::Multisig(call) => Outcome::MultisigApplied(call.apply(state, signer)?),
            Self::SetProxy(call) => Outcome::ProxySet(call.apply(state, signer)?),
            Self::RemoveProxy(call) => Outcome::ProxyRemoved(call.apply(state, signer)?),
            Self::Proxy(call) => Outcome::ProxyApplied(call.apply(state, signer)?),
            Self::Announce(call) => Outcome::Announced(call.apply(state, signer)?),
            Self::CancelAnnouncement(call) => Outcome::AnnouncementCancelled(call.apply(state, signer)?),
            Self::TransferVested(call) => Outcome::VestedTransferred(call.apply(state, signer)?),
            Self::ClaimVested(call) => Outcome::VestedClaimed(call.apply(state, signer)?),
        })
    }

    /// The next step of a user whose transaction with this call is rejected.
    pub fn hint(&self, rejection: &Rejection) -> &'static str {
        with_kind!(self, kind => kind.hint(rejection))
    }
}

impl Outcome {
    /// Computes what only a trial of the transaction shows, with the state after it.
    pub(crate) fn foresee(&mut self, state: &LedgerState) {
        if let Self::Voted(vote) = self {
            vote.foresee(state);
        }
        if let Self::ProposalVoted(vote) = self {
            vote.foresee(state);
        }
    }

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
            Self::StakeMoved(outcome) => MoveStake::description(outcome),
            Self::OwnerRotated(outcome) => RotateOwner::description(outcome),
            Self::ProposalSubmitted(outcome) => SubmitProposal::description(outcome),
            Self::ProposalVoted(outcome) => VoteProposal::description(outcome),
            Self::NodeDeregistered(outcome) => DeregisterNode::description(outcome),
            Self::NeuronDeregistered(outcome) => DeregisterNeuron::description(outcome),
            #[cfg(feature = "next-version")]
            Self::DidNothing(outcome) => Noop::description(outcome),
            Self::BatchApplied(outcome) => Batch::description(outcome),
            Self::MultisigApplied(outcome) => MultisigCall::description(outcome),
            Self::ProxySet(outcome) => SetProxy::description(outcome),
            Self::ProxyRemoved(outcome) => RemoveProxy::description(outcome),
            Self::ProxyApplied(outcome) => ProxyCall::description(outcome),
            Self::Announced(outcome) => AnnounceCall::description(outcome),
            Self::AnnouncementCancelled(outcome) => CancelAnnouncement::description(outcome),
            Self::VestedTransferred(outcome) => TransferVested::description(outcome),
            Self::VestedClaimed(outcome) => ClaimVested::description(outcome),
        }
    }
}

/// One transaction of every kind.
#[cfg(test)]
fn samples() -> Vec<AnySample> {
    vec![
        AnySample::of(Call::Transfer, Outcome::Transferred),
        AnySample::of(Call::RegisterNode, Outcome::NodeRegistered),
        AnySample::of(Call::SwapKey, Outcome::KeySwapped),
        AnySample::of(Call::SetTake, Outcome::TakeSet),
        AnySample::of(Call::Stake, Outcome::Staked),
        AnySample::of(Call::Unstake, Outcome::Unstaked),
        AnySample::of(Call::RegisterSubnet, Outcome::SubnetRegistered),
        AnySample::of(Call::RegisterNeuron, Outcome::NeuronRegistered),
        AnySample::of(Call::SetHyperparameter, Outcome::HyperparameterSet),
        AnySample::of(Call::SetMechanism, Outcome::MechanismSet),
        AnySample::of(Call::SetWeights, Outcome::WeightsSet),
        AnySample::of(Call::CommitWeights, Outcome::WeightsCommitted),
        AnySample::of(Call::RevealWeights, Outcome::WeightsRevealed),
        AnySample::of(Call::VoteSubnets, Outcome::Voted),
        AnySample::of(Call::RegisterAnchorKey, Outcome::AnchorKeyRegistered),
        AnySample::of(Call::JoinValidators, Outcome::ValidatorJoined),
        AnySample::of(Call::LeaveValidators, Outcome::ValidatorLeft),
        AnySample::of(Call::ReportEquivocation, Outcome::EquivocationReported),
        AnySample::of(Call::MoveStake, Outcome::StakeMoved),
        AnySample::of(Call::RotateOwner, Outcome::OwnerRotated),
        AnySample::of(Call::SubmitProposal, Outcome::ProposalSubmitted),
        AnySample::of(Call::VoteProposal, Outcome::ProposalVoted),
        AnySample::of(Call::DeregisterNode, Outcome::NodeDeregistered),
        AnySample::of(Call::DeregisterNeuron, Outcome::NeuronDeregistered),
        #[cfg(feature = "next-version")]
        AnySample::of(Call::Noop, Outcome::DidNothing),
        AnySample::of(Call::Batch, Outcome::BatchApplied),
        AnySample::of(Call::Multisig, Outcome::MultisigApplied),
        AnySample::of(Call::SetProxy, Outcome::ProxySet),
        AnySample::of(Call::RemoveProxy, Outcome::ProxyRemoved),
        AnySample::of(Call::Proxy, Outcome::ProxyApplied),
        AnySample::of(Call::Announce, Outcome::Announced),
        AnySample::of(Call::CancelAnnouncement, Outcome::AnnouncementCancelled),
        AnySample::of(Call::TransferVested, Outcome::VestedTransferred),
        AnySample::of(Call::ClaimVested, Outcome::VestedClaimed),
    ]
}

impl Transaction {
    /// Its weight, with an encoding of `bytes`.
    pub(crate) fn weight(&self, bytes: usize) -> u64 {
        weight::whole(self.call.weight(), bytes)
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
