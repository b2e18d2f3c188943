//! How much work an epoch is, and how much of it a block may do.
//!
//! Epochs cannot be refused, and an owner chooses the tempo of a subnet: without a bound, owners could align their epochs
//! so that one block computes all of them. So a block has a limit. Epochs that are due wait in the order of their due
//! blocks, equal ones by number, and run as far as the limit allows.
//!
//! **No epoch is later than twice its tempo.** Let `M` be the most subnets, `t` the shortest tempo, and `k = ceil(M / t)`
//! the number of largest epochs that the limit allows. While an epoch due at block `d` waits, each block runs at least
//! `k` epochs that are before it in the order. Each other subnet is before it at most once, because a subnet that ran at
//! `d` or later is due again after `d`. So it waits at most `(M - 1) / k < t` blocks, and `t` is at most its tempo.

use super::Subnet;
use crate::params::Params;

/// Weight of a neuron in an epoch: its share of the metagraph, its record and its leaf of the state tree. One unit is 40
/// nanoseconds of the reference machine, as for transactions; source: the epoch of a full subnet, with peer prediction and
/// its state root, in `cargo bench -p nervure-store -- --full`.
const NEURON_WEIGHT: u64 = 1_000;

/// Weight of a cell, which is one weight or one bond: computed, encoded and hashed. In the same unit.
const CELL_WEIGHT: u64 = 25;

impl Subnet {
    /// The weight of its next epoch, by its neurons and the weights and bonds that they have.
    pub(crate) fn epoch_weight(&self) -> u64 {
        let cells: usize = self.neurons.iter().map(|neuron| neuron.weights.len() + neuron.bonds.len()).sum();
        weight(self.neurons.len() as u64, cells as u64)
    }
}

impl Params {
    /// The most weight of epochs in a block. It allows as many of the largest epochs as are needed for none to be later
    /// than twice its tempo.
    pub fn epoch_weight_limit(&self) -> u64 {
        let slots = u64::from(self.slots);
        // Every neuron can have a weight and a bond for every neuron.
        let largest = weight(slots, 2 * slots * slots);
        u64::from(self.max_subnets).div_ceil(self.min_tempo.max(1)).saturating_mul(largest)
    }
}

fn weight(neurons: u64, cells: u64) -> u64 {
    neurons * NEURON_WEIGHT + cells * CELL_WEIGHT
}
