//! A neuron: a node in a slot of a subnet, with everything that belongs to this registration alone.

use nervure_consensus::yuma::Cell;
use nervure_primitives::{Hash, NodeId, Uid};
use serde::{Deserialize, Serialize};

/// A promise of weights.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Commit {
    /// The hash of what is promised; see [`commitment`](crate::transaction::commitment).
    pub hash: Hash,
    /// The block at which it was made.
    pub block: u64,
    /// The subnet's epoch in which it was made; it is revealed in the next one or never.
    pub epoch: u64,
}

/// A node in a slot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Neuron {
    /// The node key.
    pub node: NodeId,
    /// The block at which it got the slot.
    pub registered: u64,
    /// The block of its last commit, or of its registration.
    pub last_update: u64,
    /// Whether it may set weights.
    pub permit: bool,
    /// What the last epoch gave it, in base units.
    pub emission: u64,
    /// Its consensus weight in the last epoch, of 65,535.
    pub consensus: u16,
    /// What it earned as a miner in the last epoch, of 65,535.
    pub incentive: u16,
    /// What it earned as a validator in the last epoch, of 65,535.
    pub dividends: u16,
    /// How much of its weights was within the consensus in the last epoch, of 65,535.
    pub validator_trust: u16,
    /// Its weights, ascending by uid.
    pub weights: Vec<Cell>,
    /// Its bonds, ascending by uid.
    pub bonds: Vec<Cell>,
    /// Its promises that can still be kept, oldest first.
    pub commits: Vec<Commit>,
}

impl Neuron {
    /// A newcomer: nothing is known about it.
    pub(crate) fn new(node: NodeId, block: u64) -> Self {
        Self {
            node,
            registered: block,
            last_update: block,
            permit: false,
            emission: 0,
            consensus: 0,
            incentive: 0,
            dividends: 0,
            validator_trust: 0,
            weights: Vec::new(),
            bonds: Vec::new(),
            commits: Vec::new(),
        }
    }

    /// Whether it has a weight or a bond about `uid`.
    pub(crate) fn speaks_of(&self, uid: Uid) -> bool {
        self.weights.iter().any(|(about, weight)| *about == uid && *weight > 0)
            || self.bonds.iter().any(|(about, _)| *about == uid)
    }

    /// Drops what it said about the last holder of `uid`: the weight becomes 0, the bond goes.
    pub(crate) fn forget(&mut self, uid: Uid) {
        self.weights.iter_mut().filter(|(about, _)| *about == uid).for_each(|(_, weight)| *weight = 0);
        self.bonds.retain(|(about, _)| *about != uid);
    }
}
