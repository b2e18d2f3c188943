//! Weights that are committed in one epoch and revealed in the next, and Yuma consensus over them.

use nervure_consensus::yuma::{Cell, EpochInput, EpochOutput, Neuron, Params, Prior, run_epoch};

use crate::{
    defences::{Defence, Defences},
    miners::Miner,
};

/// Blocks of an epoch.
pub(crate) const TEMPO: u64 = 360;

/// The emission of an epoch, in base units: 82 % of a block's reward, as long as there is one token a block.
const EMISSION: u64 = TEMPO * 820_000_000;

/// The stake of each validator, in base units.
const STAKE: u64 = 1_000_000_000_000;

/// The ledger's part of dividends for peer prediction.
const PEER_PREDICTION: u16 = 16_384;

/// The ledger's part: commits, weights and bonds.
pub(crate) struct Consensus {
    params: Params,
    committed: Vec<Vec<Cell>>,
    shown: Vec<Vec<Cell>>,
    bonds: Vec<Vec<Cell>>,
    priors: Vec<[Prior; 2]>,
    committed_at: u64,
}

impl Consensus {
    pub(crate) fn new(validators: usize, miners: usize, defences: Defences) -> Self {
        let peer_prediction = if defences.has(Defence::PeerPrediction) { PEER_PREDICTION } else { 0 };
        let none = || vec![Vec::new(); validators];
        Self {
            params: Params { peer_prediction, ..Params::default() },
            committed: none(),
            shown: none(),
            bonds: none(),
            priors: vec![[Prior::default(); 2]; validators + miners],
            committed_at: 0,
        }
    }

    /// The weights that were revealed last, of each validator: those committed in the last epoch are revealed as this
    /// one begins, and count when it ends.
    pub(crate) fn revealed(&self) -> &[Vec<Cell>] {
        &self.committed
    }

    /// Forgets the former holder of a miner's slot.
    pub(crate) fn replaced(&mut self, slot: usize) {
        let uid = self.shown.len() + slot;
        self.priors[uid] = [Prior::default(); 2];
        for row in self.committed.iter_mut().chain(&mut self.shown).chain(&mut self.bonds) {
            row.retain(|(about, _)| usize::from(about.0) != uid);
        }
    }

    /// The epoch that ends at `block`: the last epoch's commits count, and `rows` are committed for the next.
    pub(crate) fn epoch(&mut self, block: u64, miners: &[Miner], rows: Vec<Vec<Cell>>) -> EpochOutput {
        self.shown = std::mem::replace(&mut self.committed, rows);
        let mut neurons: Vec<Neuron<'_>> = Vec::with_capacity(self.shown.len() + miners.len());
        for (weights, bonds) in self.shown.iter().zip(&self.bonds) {
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
        for (neuron, priors) in neurons.iter_mut().zip(&self.priors) {
            neuron.priors = *priors;
        }
        let input = EpochInput { params: &self.params, block, emission: EMISSION, neurons: &neurons };
        let output = run_epoch(&input).expect("rows of uids that exist");
        self.bonds = output.bonds.iter().take(self.shown.len()).cloned().collect();
        for (priors, new) in self.priors.iter_mut().zip(&output.priors) {
            *priors = [*new, priors[0]];
        }
        (self.params.last_step_block, self.committed_at) = (block, block - TEMPO / 3);
        output
    }
}
