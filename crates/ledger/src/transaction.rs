//! Signed transactions: what an owner or a node may ask of the ledger.
//!
//! A transaction travels in an [`Envelope`] whose signature covers the mesh id, so that it is worth
//! nothing on another mesh. It carries the nonce of its signer, a fee and the last block at which it
//! holds. `execute` checks, in this order: size, signature and form; expiry; nonce; fee; and then
//! the rules of its kind, one file each. Every kind checks everything before it writes anything, which
//! is what makes a refused transaction leave no trace.
//!
//! What a hostile signer can do: fill blocks with transactions at the least fee. What it cannot: make
//! the decoder allocate more than [`MAX_LEN`] bytes, or have a transaction carried out twice.

mod checked;
mod commit_weights;
mod outcome;
mod register_anchor_key;
mod register_neuron;
mod register_node;
mod register_subnet;
mod rejection;
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
mod weights;

use nervure_primitives::{Amount, BlockHeight, Domain, Envelope, EnvelopeError, MeshId, NodeId, NodeKey};
use serde::{Deserialize, Serialize};

pub use checked::Checked;
pub use commit_weights::CommitWeights;
pub use outcome::Outcome;
pub use register_anchor_key::RegisterAnchorKey;
pub use register_neuron::RegisterNeuron;
pub use register_node::{RegisterNode, consent};
pub use register_subnet::RegisterSubnet;
pub use rejection::Rejection;
pub use reveal_weights::{RevealWeights, commitment};
pub use set_hyperparameter::SetHyperparameter;
pub use set_mechanism::SetMechanism;
pub use set_take::SetTake;
pub use set_weights::SetWeights;
pub use stake::Stake;
pub use swap_key::SwapKey;
pub use transfer::Transfer;
pub use unstake::Unstake;
pub use vote_subnets::VoteSubnets;

use crate::state::LedgerState;

/// What a transaction's signature is for.
pub const DOMAIN: Domain = Domain::new("nervure/transaction/1");

/// Largest body of a transaction in bytes: a row of 256 weights fits several times.
pub const MAX_LEN: usize = 8 * 1024;

/// One request of a signer to the ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Transaction {
    /// The signer's next nonce.
    pub nonce: u64,
    /// What is recycled for carrying it out.
    pub fee: Amount,
    /// The last block that may carry it.
    pub expiry: BlockHeight,
    /// What to do.
    pub call: Call,
}

/// What a transaction does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
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
}

impl Call {
    /// Whether a node key signs it, rather than an owner key.
    pub fn is_of_node(&self) -> bool {
        matches!(
            self,
            Self::SetWeights(_)
                | Self::CommitWeights(_)
                | Self::RevealWeights(_)
                | Self::VoteSubnets(_)
                | Self::RegisterAnchorKey(_)
        )
    }
}

impl Transaction {
    /// Signs it for `mesh`.
    ///
    /// # Errors
    /// None in practice: what a transaction is made of always encodes.
    pub fn seal(&self, key: &NodeKey, mesh: &MeshId) -> Result<Envelope, EnvelopeError> {
        Envelope::seal(key, DOMAIN, mesh, self)
    }
}

/// Carries out a transaction, or refuses it without a trace.
pub(crate) fn execute(state: &mut LedgerState, checked: &Checked) -> Result<Outcome, Rejection> {
    let transaction = checked.transaction.as_ref().map_err(Clone::clone)?;
    if checked.mesh != state.mesh {
        return Err(Rejection::Malformed { why: "it was verified for another mesh".into() });
    }
    if transaction.expiry.0 < state.height {
        return Err(Rejection::Expired { expiry: transaction.expiry });
    }
    match transaction.call.is_of_node() {
        true => by_node(state, checked.signer, transaction),
        false => by_owner(state, checked.signer, transaction),
    }
}

/// A transaction of a node key: it can move nothing, so it pays nothing either, and each kind has its
/// own limit on how often it can come.
fn by_node(state: &mut LedgerState, node: NodeId, transaction: &Transaction) -> Result<Outcome, Rejection> {
    let expected = state.nodes.get(&node).ok_or(Rejection::NoSuchNode { node })?.nonce;
    if transaction.nonce != expected {
        return Err(Rejection::Nonce { expected, given: transaction.nonce });
    }
    if !transaction.fee.is_zero() {
        return Err(Rejection::NodeFee);
    }
    let outcome = match &transaction.call {
        Call::CommitWeights(call) => call.apply(state, node),
        Call::RevealWeights(call) => call.apply(state, node),
        Call::SetWeights(call) => call.apply(state, node),
        Call::VoteSubnets(call) => call.apply(state, node),
        Call::RegisterAnchorKey(call) => call.apply(state, node),
        _ => Err(Rejection::WrongKey),
    }?;
    state.nodes.advance_nonce(&node);
    Ok(outcome)
}

/// A transaction of an owner key: it pays a fee.
fn by_owner(state: &mut LedgerState, owner: NodeId, transaction: &Transaction) -> Result<Outcome, Rejection> {
    let expected = state.accounts.get(&owner).nonce;
    if transaction.nonce != expected {
        return Err(Rejection::Nonce { expected, given: transaction.nonce });
    }
    let fee = transaction.fee.base_units();
    if fee < state.params.min_fee {
        return Err(Rejection::Fee { least: Amount::from_base_units(state.params.min_fee) });
    }
    // Taken first, so that the call cannot spend it; given back when the call is refused.
    if !state.accounts.debit(&owner, fee) {
        return Err(Rejection::Balance { needed: transaction.fee });
    }
    let outcome = match &transaction.call {
        Call::Transfer(call) => call.apply(state, owner),
        Call::RegisterNode(call) => call.apply(state, owner),
        Call::SwapKey(call) => call.apply(state, owner),
        Call::SetTake(call) => call.apply(state, owner),
        Call::Stake(call) => call.apply(state, owner),
        Call::Unstake(call) => call.apply(state, owner),
        Call::RegisterSubnet(call) => call.apply(state, owner),
        Call::RegisterNeuron(call) => call.apply(state, owner),
        Call::SetHyperparameter(call) => call.apply(state, owner),
        Call::SetMechanism(call) => call.apply(state, owner),
        _ => Err(Rejection::WrongKey),
    };
    if outcome.is_ok() {
        state.recycle(fee);
        state.accounts.advance_nonce(owner);
    } else {
        state.accounts.credit(owner, fee);
    }
    outcome
}
