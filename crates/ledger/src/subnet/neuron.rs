//! A neuron: a node in a slot of a subnet, with everything that belongs to this registration alone.

use nervure_consensus::yuma::{Cell, Prior};
use nervure_primitives::{Amount, Hash, NodeId, Uid};
use serde::{Deserialize, Serialize};

/// A commit of weights that are not revealed yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Commit {
    /// The hash of the weights; see [`commitment`](crate::transaction::commitment).
    pub hash: Hash,
    /// The key that the node had when it made it, which the hash covers: it can still be revealed after a swap.
    pub node: NodeId,
    /// The block at which it was made.
    pub block: u64,
    /// The subnet's epoch in which it was made; it can be revealed in the next epoch only.
    pub epoch: u64,
}

/// The node of a vacant slot: no key, because no signature holds for it.
const VACANT: NodeId = NodeId::from_bytes([0; 32]);

/// A node in a slot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Neuron {
    /// The node key; 32 zero bytes when the slot is [vacant](Self::is_vacant).
    pub node: NodeId,
    /// The block at which it got the slot.
    pub registered: u64,
    /// What is deposited for the slot: its owner has it back when the slot goes to another node. Nothing for neurons of the
    /// mesh spec and for the first of a subnet.
    pub deposit: Amount,
    /// The block of its last commit, or of its registration.
    pub last_update: u64,
    /// The sum of the node's stake over blocks, when the current epoch began or it got the slot: the stake that an epoch
    /// counts is the average since.
    #[serde(with = "crate::wide")]
    pub stake_blocks: u128,
    /// Whether it has a validator permit.
    pub permit: bool,
    /// Its emission in the last epoch, in base units.
    pub emission: u64,
    /// Its consensus weight in the last epoch, of 65,535.
    pub consensus: u16,
    /// Its share of the miners' emission in the last epoch, of 65,535.
    pub incentive: u16,
    /// Its share of the validators' emission in the last epoch, of 65,535.
    pub dividends: u16,
    /// The part of its weights that consensus did not clip in the last epoch, of 65,535.
    pub validator_trust: u16,
    /// What its last two epochs left in public about it, the last one first: peer prediction reads it.
    #[serde(default, skip_serializing_if = "leaves_nothing")]
    pub priors: [Prior; 2],
    /// Its weights, ascending by uid.
    pub weights: Vec<Cell>,
    /// Its bonds, ascending by uid.
    pub bonds: Vec<Cell>,
    /// Its commits that can still be revealed, at most one of each epoch, oldest first.
    pub commits: Vec<Commit>,
}

impl Neuron {
    /// A newly registered neuron of a node with this sum of stake over blocks.
    pub(crate) fn new(node: NodeId, block: u64, stake_blocks: u128) -> Self {
        Self {
            node,
            registered: block,
            deposit: Amount::ZERO,
            last_update: block,
            stake_blocks,
            permit: false,
            emission: 0,
            consensus: 0,
            incentive: 0,
            dividends: 0,
            validator_trust: 0,
            priors: [Prior::default(); 2],
            weights: Vec::new(),
            bonds: Vec::new(),
            commits: Vec::new(),
        }
    }

    /// What is in a slot that a node left at `block`, until a newcomer takes it. The epoch finds no stake behind it, and what
    /// weights about it earn stays in the pot.
    pub(crate) fn vacant(block: u64) -> Self {
        Self::new(VACANT, block, 0)
    }

    /// Whether no node has the slot.
    pub fn is_vacant(&self) -> bool {
        self.node == VACANT
    }

    /// Whether it has a weight or a bond about `uid`.
    pub(crate) fn speaks_of(&self, uid: Uid) -> bool {
        self.weights.iter().any(|(about, weight)| *about == uid && *weight > 0)
            || self.bonds.iter().any(|(about, _)| *about == uid)
    }

    /// Clears its weight and bond for the last holder of `uid`: the weight becomes 0, the bond is removed.
    pub(crate) fn forget(&mut self, uid: Uid) {
        self.weights.iter_mut().filter(|(about, _)| *about == uid).for_each(|(_, weight)| *weight = 0);
        self.bonds.retain(|(about, _)| *about != uid);
    }
}

/// Whether no epoch left anything: such a record is that of a mesh without peer prediction.
pub(super) fn leaves_nothing(priors: &[Prior; 2]) -> bool {
    *priors == [Prior::default(); 2]
}
