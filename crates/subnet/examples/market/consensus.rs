//! Weights that are committed in one epoch and revealed in the next, and Yuma consensus over them.

use nervure_consensus::yuma::{Cell, EpochInput, EpochOutput, Neuron, Params, run_epoch};

use crate::miners::Miner;

/// Blocks of an epoch.
pub(crate) const TEMPO: u64 = 360;

/// The emission of an epoch, in base units: 82 % of a block's reward, as long as there is one token a block.
const EMISSION: u64 = TEMPO * 820_000_000;

/// The stake of each validator, in base units.
const STAKE: u64 = 1_000_000_000_000;

/// The ledger's part: commits, weights and bonds.
pub(crate) struct Consensus {
    params: Params,
    committed: Vec<Vec<Cell>>,
    bonds: Vec<Vec<Cell>>,
    committed_at: u64,
}

impl Consensus {
    pub(crate) fn new(validators: usize) -> Self {
        let none = || vec![Vec::new(); validators];
        Self { params: Params::default(), committed: none(), bonds: none(), committed_at: 0 }
    }

    /// The epoch that ends at `block`: the last epoch's commits count, and `rows` are committed for the next.
    pub(crate) fn epoch(&mut self, block: u64, miners: &[Miner], rows: Vec<Vec<Cell>>) -> EpochOutput {
        let shown = std::mem::replace(&mut self.committed, rows);
        let mut neurons: Vec<Neuron<'_>> = Vec::with_capacity(shown.len() + miners.len());
        for (weights, bonds) in shown.iter().zip(&self.bonds) {
            let last_update = self.committed_at;
            neurons.push(Neuron {
                stake: STAKE,
                last_update,
                permit: true,
                weights,
                bonds,
                ..Neuron::default()
            });
        }
        neurons.extend(miners.iter().map(|miner| {
            let registered = miner.registration.block.0;
            Neuron { registered, last_update: registered, ..Neuron::default() }
        }));
        let input = EpochInput { params: &self.params, block, emission: EMISSION, neurons: &neurons };
        let output = run_epoch(&input).expect("rows of uids that exist");
        self.bonds = output.bonds.iter().take(shown.len()).cloned().collect();
        (self.params.last_step_block, self.committed_at) = (block, block - TEMPO / 3);
        output
    }
}
