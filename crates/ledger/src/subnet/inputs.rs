//! The inputs of an epoch.
//!
//! Yuma consensus reads the weights, stakes and bonds of the neurons and the hyperparameters of the subnet at the end
//! of the block, and the epoch itself then changes several of them. So the ledger stores the hash of all inputs in the
//! subnet's record: a client with the inputs and a certified header can recompute the epoch with every intermediate
//! result, and compare it with the neurons' records.
//!
//! The inputs are not part of the state. A node keeps those of each subnet's last epoch and serves them on request.

use nervure_consensus::yuma::{self, Cell, EpochInput, EpochOutput, Params, Prior, Trace, YumaError};
use nervure_primitives::{
    Hash, Netuid, NodeId, Uid,
    cbor::{self, CborError, Limits},
};
use serde::{Deserialize, Serialize};

/// Largest encoding in bytes: 256 neurons with 256 weights and 256 bonds each take 950 KiB.
pub const MAX_INPUTS_LEN: usize = 1 << 20;

/// The inputs of an epoch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EpochInputs {
    /// The subnet.
    pub netuid: Netuid,
    /// The number of its epoch.
    pub epoch: u64,
    /// The block at whose end it was computed.
    pub block: u64,
    /// The owner's part of the pot, in base units.
    pub owner_part: u64,
    /// The rest of the pot, for miners and validators, in base units.
    pub emission: u64,
    /// The parameters of Yuma consensus.
    pub params: Params,
    /// The neurons, by uid.
    pub neurons: Vec<NeuronInputs>,
}

/// The inputs of an epoch for one neuron.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NeuronInputs {
    /// The node in the slot.
    pub node: NodeId,
    /// Its stake with that of its stakers, averaged over the blocks of the epoch, in base units.
    pub stake: u64,
    /// The block of its last commit or weights, or of its registration.
    pub last_update: u64,
    /// The block at which it got the slot.
    pub registered: u64,
    /// Whether it had a validator permit.
    pub permit: bool,
    /// The block of its earliest commit that was not revealed, where weights are committed.
    pub commit_block: Option<u64>,
    /// Its weights, ascending by uid.
    pub weights: Vec<Cell>,
    /// Its bonds, ascending by uid.
    pub bonds: Vec<Cell>,
    /// What the last two epochs left in public about it, the last one first, where dividends follow peer prediction.
    #[serde(default, skip_serializing_if = "super::neuron::leaves_nothing")]
    pub priors: [Prior; 2],
}

impl EpochInputs {
    /// Its canonical bytes.
    ///
    /// # Errors
    /// None in practice: integers and byte strings always encode.
    pub fn encode(&self) -> Result<Vec<u8>, CborError> {
        cbor::encode(self)
    }

    /// Decodes inputs, without verifying them: see [`Self::hash`].
    ///
    /// # Errors
    /// When `bytes` are too many or not canonical.
    pub fn decode(bytes: &[u8]) -> Result<Self, CborError> {
        cbor::decode(bytes, Limits::new(MAX_INPUTS_LEN))
    }

    /// The hash of the encoded `bytes`, as in the subnet's record.
    pub fn hash(bytes: &[u8]) -> Hash {
        Hash::of("nervure/epoch/1", &[bytes])
    }

    /// The slot of a node.
    pub fn uid_of(&self, node: &NodeId) -> Option<Uid> {
        self.neurons.iter().position(|neuron| neuron.node == *node).map(|uid| Uid(uid as u16))
    }

    /// Computes the epoch.
    ///
    /// # Errors
    /// When the inputs are inconsistent, which those of a ledger never are.
    pub fn run(&self) -> Result<EpochOutput, YumaError> {
        self.with_input(yuma::run_epoch)
    }

    /// Computes the epoch with every intermediate result.
    ///
    /// # Errors
    /// As for [`Self::run`].
    pub fn run_traced(&self) -> Result<(EpochOutput, Trace), YumaError> {
        self.with_input(yuma::run_epoch_traced)
    }

    fn with_input<T>(&self, run: impl FnOnce(&EpochInput<'_>) -> T) -> T {
        let neurons: Vec<yuma::Neuron<'_>> = self
            .neurons
            .iter()
            .map(|neuron| yuma::Neuron {
                stake: neuron.stake,
                last_update: neuron.last_update,
                registered: neuron.registered,
                permit: neuron.permit,
                commit_block: neuron.commit_block,
                weights: &neuron.weights,
                bonds: &neuron.bonds,
                priors: neuron.priors,
            })
            .collect();
        let Self { params, block, emission, .. } = self;
        run(&EpochInput { params, block: *block, emission: *emission, neurons: &neurons })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_inputs_fit_the_bound() {
        let cells: Vec<Cell> = (0..256).map(|uid| (Uid(uid + 1_000), u16::MAX)).collect();
        let neuron = NeuronInputs {
            node: NodeId::from_bytes([7; 32]),
            stake: u64::MAX,
            last_update: u64::MAX,
            registered: u64::MAX,
            permit: true,
            commit_block: Some(u64::MAX),
            weights: cells.clone(),
            bonds: cells,
            priors: [Prior { consensus: u32::MAX, mean: u32::MAX }; 2],
        };
        let largest = EpochInputs {
            netuid: Netuid(u16::MAX),
            epoch: u64::MAX,
            block: u64::MAX,
            owner_part: u64::MAX,
            emission: u64::MAX,
            params: Params::default(),
            neurons: vec![neuron; 256],
        };
        let bytes = largest.encode().unwrap();
        assert!(bytes.len() < MAX_INPUTS_LEN, "{}", bytes.len());
        assert_eq!(EpochInputs::decode(&bytes), Ok(largest));
    }
}
