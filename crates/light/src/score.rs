//! A proven explanation of a node's score: from a certified header down to every validator's weight.
//!
//! An [`EpochProof`] holds the subnet's record with its proof, the inputs of the subnet's last epoch (whose hash is in
//! that record), and the neuron's record with its proof. [`explain`] checks all three against a header, computes the
//! epoch again, and compares the outcome with the neuron's record: validators that agreed on another result than that
//! of Yuma consensus are detected too.
//!
//! What a hostile server can do: have [`MAX_EPOCH_PROOF_LEN`] bytes hashed, and refuse to answer. It cannot change any
//! number in the explanation.

mod opinion;
mod reason;

use nervure_consensus::{
    fixed::I32F32,
    yuma::{self, EpochOutput, Trace, YumaError},
};
use nervure_primitives::{
    Amount, BlockHeight, Hash, Netuid, NodeId, Uid,
    cbor::{self, CborError, Limits},
};
use serde::{Deserialize, Serialize};

pub use opinion::{Ignored, ScoreOpinion};
pub use reason::Reason;

use nervure_ledger::{
    block::Header,
    subnet::{EpochInputs, MAX_INPUTS_LEN, Neuron, Subnet},
    tree::{Fact, Key, MAX_FACT_LEN, ProofError, Record},
};

/// Largest encoding of a proof in bytes.
pub const MAX_EPOCH_PROOF_LEN: usize = MAX_INPUTS_LEN + 2 * MAX_FACT_LEN + 64;

/// Everything that explains one neuron's last epoch. Nothing is verified until [`explain`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EpochProof {
    /// The subnet's record.
    pub subnet: Fact,
    /// The encoded [`EpochInputs`] of its last epoch; empty when it had none.
    #[serde(with = "serde_bytes")]
    pub inputs: Vec<u8>,
    /// The record of the neuron; `None` when the node had no slot.
    pub neuron: Option<Fact>,
}

/// Which part of an explanation does not verify, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScoreError {
    /// The subnet's record is not in the state.
    #[error("the record of the subnet: {0}")]
    Subnet(ProofError),
    /// The subnet does not exist, which is proven.
    #[error("there is no subnet {netuid} after block {block}")]
    NoSubnet {
        /// Its number.
        netuid: Netuid,
        /// The block whose state proves it.
        block: BlockHeight,
    },
    /// The subnet had no epoch yet, which is proven.
    #[error("subnet {netuid} had no epoch up to block {block}: its first one ends at block {due}")]
    NoEpoch {
        /// Its number.
        netuid: Netuid,
        /// The block whose state proves it.
        block: BlockHeight,
        /// The block at which its epoch ends.
        due: BlockHeight,
    },
    /// The inputs of the epoch are not those that the validators agreed on.
    #[error("the inputs of the epoch have hash {found}, and the validators agreed on {expected}")]
    Inputs {
        /// The hash in the subnet's record.
        expected: Hash,
        /// The hash of the inputs received.
        found: Hash,
    },
    /// The inputs of the epoch do not decode.
    #[error("the inputs of the epoch: {0}")]
    Malformed(#[from] CborError),
    /// The epoch cannot be computed.
    #[error("the epoch cannot be computed: {0}")]
    Yuma(#[from] YumaError),
    /// The neuron's record is missing.
    #[error("the record of uid {0} is missing")]
    Missing(Uid),
    /// The neuron's record is not in the state.
    #[error("the record of the neuron: {0}")]
    Neuron(ProofError),
    /// The ledger and the computation differ.
    #[error("the ledger says {what} = {recorded}, Yuma consensus gives {computed}")]
    Disagrees {
        /// The name of the number.
        what: &'static str,
        /// The number in the neuron's record.
        recorded: u64,
        /// The computed number.
        computed: u64,
    },
}

impl EpochProof {
    /// Its canonical bytes.
    ///
    /// # Errors
    /// None in practice.
    pub fn encode(&self) -> Result<Vec<u8>, CborError> {
        cbor::encode(self)
    }

    /// Decodes a proof, without verifying it.
    ///
    /// # Errors
    /// When `bytes` are too many or not canonical.
    pub fn decode(bytes: &[u8]) -> Result<Self, CborError> {
        cbor::decode(bytes, Limits::new(MAX_EPOCH_PROOF_LEN))
    }
}

/// The earnings of a node in the last epoch of a subnet, and the reasons.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Score {
    /// The subnet.
    pub netuid: Netuid,
    /// Its name.
    pub subnet: String,
    /// The number of the epoch.
    pub epoch: u64,
    /// The block at whose end it was computed.
    pub block: BlockHeight,
    /// The emission for miners and validators.
    pub shared: Amount,
    /// The owner's part, which was taken off before.
    pub owner_part: Amount,
    /// The node.
    pub node: NodeId,
    /// Its slot; `None` when it had none.
    pub uid: Option<Uid>,
    /// Its outcome of the epoch; `None` without a slot.
    pub result: Option<ScoreResult>,
    /// The node that has the slot now, if it is another one or has another key.
    pub now_held_by: Option<NodeId>,
    /// Every validator's weight for it, most voting stake first.
    pub opinions: Vec<ScoreOpinion>,
    /// The reasons.
    pub reasons: Vec<Reason>,
}

/// The outcome of an epoch for one neuron. Shares are decimals in JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ScoreResult {
    /// The largest weight that the majority of voting stake gives it; higher weights are clipped.
    pub consensus: I32F32,
    /// The sum of its clipped weights, each times its validator's voting stake.
    pub rank: I32F32,
    /// The sum of all ranks.
    pub rank_sum: I32F32,
    /// The part of the weights for it that was not clipped.
    pub trust: I32F32,
    /// Its share of all ranks.
    pub incentive: I32F32,
    /// Its share of all dividends.
    pub dividends: I32F32,
    /// The sum of its own weights after clipping.
    pub validator_trust: I32F32,
    /// Its earnings as a miner.
    pub as_miner: Amount,
    /// Its earnings as a validator, before its take.
    pub as_validator: Amount,
    /// Whether it had a validator permit in the epoch.
    pub permit: bool,
    /// Whether it has a validator permit from now on.
    pub next_permit: bool,
    /// The block at which it got its slot.
    pub registered: BlockHeight,
    /// The block until which it cannot lose its slot to a newcomer.
    pub immune_until: BlockHeight,
}

/// A recomputed epoch.
struct Computed {
    inputs: EpochInputs,
    output: EpochOutput,
    trace: Trace,
}

/// Explains the last epoch of `node` in subnet `netuid`, under a header that is trusted.
///
/// # Errors
/// The first part that does not verify.
pub fn explain(
    header: &Header,
    (netuid, node): (Netuid, &NodeId),
    proof: &EpochProof,
) -> Result<Score, ScoreError> {
    let root = &header.state;
    let record = proof.subnet.check(root, &Key::Subnet(netuid)).map_err(ScoreError::Subnet)?;
    let Some(Record::Subnet { subnet, .. }) = record else {
        return Err(ScoreError::NoSubnet { netuid, block: header.height });
    };
    // The subnet's record is proven from here on, and with it the hash of the inputs.
    let computed = compute(header, netuid, subnet, &proof.inputs)?;
    let uid = computed.inputs.uid_of(node);
    let neuron = match (uid, &proof.neuron) {
        // The inputs are complete and their hash is proven, so this also proves that the node had no slot.
        (None, _) => None,
        (Some(uid), None) => return Err(ScoreError::Missing(uid)),
        (Some(uid), Some(fact)) => {
            match fact.check(root, &Key::Neuron(netuid, uid)).map_err(ScoreError::Neuron)? {
                Some(Record::Neuron { neuron, .. }) => Some((uid, neuron.as_ref())),
                _ => return Err(ScoreError::Missing(uid)),
            }
        }
    };
    let mut score = score_of(&computed, subnet, *node);
    if let Some((uid, neuron)) = neuron {
        let before = &computed.inputs.neurons[usize::from(uid.0)];
        // A slot with another registration block belongs to another node now, whose record says nothing about this one.
        if neuron.registered == before.registered {
            compare(neuron, uid, &computed.output)?;
        }
        score.now_held_by = (neuron.node != *node).then_some(neuron.node);
    }
    Ok(score)
}

/// Recomputes the epoch from inputs whose hash is in the subnet's record.
fn compute(header: &Header, netuid: Netuid, subnet: &Subnet, bytes: &[u8]) -> Result<Computed, ScoreError> {
    let due = BlockHeight(subnet.due);
    let expected = subnet.inputs.ok_or(ScoreError::NoEpoch { netuid, block: header.height, due })?;
    let found = EpochInputs::hash(bytes);
    // Before decoding: bytes that the validators did not agree on are not parsed.
    if found != expected {
        return Err(ScoreError::Inputs { expected, found });
    }
    let inputs = EpochInputs::decode(bytes)?;
    let (output, trace) = inputs.run_traced()?;
    Ok(Computed { inputs, output, trace })
}

/// Compares the neuron's record with the computed outcome.
fn compare(neuron: &Neuron, uid: Uid, output: &EpochOutput) -> Result<(), ScoreError> {
    let at = usize::from(uid.0);
    let pairs = [
        ("consensus", neuron.consensus.into(), output.consensus[at].into()),
        ("incentive", neuron.incentive.into(), output.incentive[at].into()),
        ("dividends", neuron.dividends.into(), output.dividends[at].into()),
        ("validator trust", neuron.validator_trust.into(), output.validator_trust[at].into()),
        ("emission", neuron.emission, output.emission[at]),
        ("permit", neuron.permit.into(), output.new_permits[at].into()),
    ];
    match pairs.into_iter().find(|(_, recorded, computed)| recorded != computed) {
        Some((what, recorded, computed)) => Err(ScoreError::Disagrees { what, recorded, computed }),
        None => Ok(()),
    }
}

fn score_of(computed: &Computed, subnet: &Subnet, node: NodeId) -> Score {
    let inputs = &computed.inputs;
    let uid = inputs.uid_of(&node);
    let mut score = Score {
        netuid: inputs.netuid,
        subnet: subnet.name.clone(),
        epoch: inputs.epoch,
        block: BlockHeight(inputs.block),
        shared: Amount::from_base_units(inputs.emission),
        owner_part: Amount::from_base_units(inputs.owner_part),
        node,
        uid,
        result: uid.and_then(|uid| result(computed, subnet, uid)),
        now_held_by: None,
        opinions: uid.map(|uid| opinion::all(computed, uid)).unwrap_or_default(),
        reasons: Vec::new(),
    };
    score.reasons = reason::of(computed, &score);
    score
}

fn result(computed: &Computed, subnet: &Subnet, uid: Uid) -> Option<ScoreResult> {
    let Computed { inputs, output, trace } = computed;
    let at = usize::from(uid.0);
    let stakes: Vec<u64> = inputs.neurons.iter().map(|neuron| neuron.stake).collect();
    let explained = yuma::explain(uid, &stakes, (output, trace))?;
    let neuron = inputs.neurons.get(at)?;
    Some(ScoreResult {
        consensus: explained.consensus,
        rank: explained.rank,
        rank_sum: explained.rank_sum,
        trust: explained.trust,
        incentive: explained.incentive,
        dividends: trace.dividends[at],
        validator_trust: trace.validator_trust[at],
        as_miner: Amount::from_base_units(output.server_emission[at]),
        as_validator: Amount::from_base_units(output.validator_emission[at]),
        permit: trace.permits[at],
        next_permit: output.new_permits[at],
        registered: BlockHeight(neuron.registered),
        immune_until: BlockHeight(neuron.registered.saturating_add(subnet.hyperparameters.immunity)),
    })
}

#[cfg(test)]
mod tests;
