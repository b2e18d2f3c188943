//! A subnet: its slots, its price, its lock and the pot of its next epoch.
//!
//! The numbers of slots are reused; what a neuron earned, set or committed in a slot is not. `Subnet::place` is the
//! only way into one and clears everything that refers to its last holder.

mod backing;
mod epoch_weight;
mod hyperparameters;
mod inputs;
mod metagraph;
mod neuron;
mod registrations;

use std::sync::Arc;

use nervure_primitives::{Hash, MechanismSpec, Netuid, NodeId, Uid};
use serde::{Deserialize, Serialize};

pub use backing::Backing;
pub use hyperparameters::{HYPERPARAMETERS, Hyperparameter, Hyperparameters};
pub use inputs::{EpochInputs, MAX_INPUTS_LEN, NeuronInputs};
pub use metagraph::{MAX_PROOF_STEPS, Metagraph, MetagraphProof, MetagraphRoot, MetagraphRow};
pub use neuron::{Commit, Neuron};
pub use registrations::RegistrationCount;

use crate::{
    economics::{
        prune::{self, NeuronRank},
        schedule::{blocks_until_epoch, first_epoch},
    },
    params::Params,
};

/// A subnet of the mesh.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subnet {
    /// Its name.
    pub name: String,
    /// The key that gets the owner's share; `None` for a subnet without an owner.
    pub owner: Option<NodeId>,
    /// The owner's node, which cannot lose its slot.
    pub owner_node: Option<NodeId>,
    /// The owner's lock, in base units.
    pub locked: u64,
    /// The owner's earnings from it, in base units.
    pub earned: u64,
    /// The block at which it was registered.
    pub registered: u64,
    /// The price of a slot, in base units.
    pub price: u64,
    /// The neurons that registered lately.
    pub registrations: RegistrationCount,
    /// Its share of the emission, of [`WHOLE`](crate::economics::shares::WHOLE).
    pub share: u64,
    /// The pot of the next epoch, in base units.
    pub pending: u64,
    /// The number of the current epoch: how many have ended.
    pub epoch: u64,
    /// The block at which the current epoch began: that of the last epoch's end, or of the registration.
    pub began: u64,
    /// The block at which the current epoch ends and is computed.
    pub due: u64,
    /// The block of its last epoch that could be computed; 0 when there was none.
    pub last_step: u64,
    /// Moving average of its emission per block, in 2^-32 base units.
    #[serde(with = "crate::wide")]
    pub average: u128,
    /// The settings of its owner.
    pub hyperparameters: Hyperparameters,
    /// The block at which each hyperparameter was last set, by its index; 0 when it never was.
    pub changed: [u64; HYPERPARAMETERS],
    /// The root of the metagraph after the last epoch.
    pub metagraph: Option<MetagraphRoot>,
    /// How its validators set tasks; without one, they set none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mechanism: Option<MechanismSpec>,
    /// The block at which its owner last changed the mechanism; 0 if never.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub mechanism_set: u64,
    /// The hash of the [`EpochInputs`] that the last epoch was computed from.
    pub inputs: Option<Hash>,
    /// Its neurons, by uid. Each is a record of its own in the state tree.
    #[serde(skip)]
    pub neurons: Vec<Arc<Neuron>>,
}

impl Subnet {
    /// A subnet without neurons.
    pub(crate) fn new(netuid: Netuid, name: String, block: u64, params: &Params) -> Self {
        Self {
            name,
            owner: None,
            owner_node: None,
            locked: 0,
            earned: 0,
            registered: block,
            price: params.burn.floor,
            registrations: RegistrationCount::default(),
            share: 0,
            pending: 0,
            epoch: 0,
            began: block,
            due: first_epoch(block, params.subnet.tempo, netuid.0),
            last_step: 0,
            average: 0,
            hyperparameters: params.subnet.clone(),
            changed: [0; HYPERPARAMETERS],
            metagraph: None,
            mechanism: None,
            mechanism_set: 0,
            inputs: None,
            neurons: Vec::new(),
        }
    }

    /// The slot of a node.
    pub fn uid_of(&self, node: &NodeId) -> Option<Uid> {
        self.neurons.iter().position(|neuron| neuron.node == *node).map(|uid| Uid(uid as u16))
    }

    /// The neuron in a slot.
    pub fn neuron(&self, uid: Uid) -> Option<&Neuron> {
        self.neurons.get(usize::from(uid.0)).map(Arc::as_ref)
    }

    /// The neuron in a slot, to change it.
    pub(crate) fn neuron_mut(&mut self, uid: Uid) -> Option<&mut Neuron> {
        self.neurons.get_mut(usize::from(uid.0)).map(Arc::make_mut)
    }

    /// The slot of the owner's node.
    pub fn owner_uid(&self) -> Option<Uid> {
        self.owner_node.and_then(|node| self.uid_of(&node))
    }

    /// Ends the current epoch at `block`. Its commits can be revealed in the next epoch; older ones are dropped.
    pub(crate) fn end_epoch(&mut self, block: u64) {
        let (ended, tempo) = (self.epoch, self.hyperparameters.tempo);
        for neuron in &mut self.neurons {
            // Looked up first: `Arc::make_mut` would copy every neuron, and `changes` would compare each
            // copy.
            if neuron.commits.iter().any(|commit| commit.epoch < ended) {
                // A commit of the ended epoch is revealed in the next one; an older one missed its only
                // epoch.
                Arc::make_mut(neuron).commits.retain(|commit| commit.epoch >= ended);
            }
        }
        self.epoch = ended.saturating_add(1);
        self.began = block;
        // From this block and not from `due`: an epoch that ran late does not make the next one shorter.
        self.due = block.saturating_add(blocks_until_epoch(block, tempo, block));
    }

    /// The tokens that it holds (lock, pot, and deposits for its slots), in base units.
    pub(crate) fn held(&self) -> u128 {
        let deposits = self.neurons.iter().map(|neuron| u128::from(neuron.deposit.base_units()));
        u128::from(self.locked) + u128::from(self.pending) + deposits.sum::<u128>()
    }

    /// The slots that nodes have.
    pub fn occupied(&self) -> impl Iterator<Item = (Uid, &Neuron)> {
        let slots = (0u16..).map(Uid).zip(self.neurons.iter().map(Arc::as_ref));
        slots.filter(|(_, neuron)| !neuron.is_vacant())
    }

    /// The slot that a newcomer would get at `block`: a vacant one, a further one, or that of the neuron to prune.
    pub(crate) fn slot_for_newcomer(&self, params: &Params, block: u64) -> Option<Uid> {
        let vacant = self.neurons.iter().position(|neuron| neuron.is_vacant());
        if let Some(vacant) = vacant {
            return u16::try_from(vacant).ok().map(Uid);
        }
        let taken = self.neurons.len();
        if taken < usize::from(params.slots) {
            return u16::try_from(taken).ok().map(Uid);
        }
        let owner = self.owner_uid();
        let ranks: Vec<NeuronRank> = (0u16..)
            .zip(&self.neurons)
            .map(|(uid, neuron)| NeuronRank {
                uid,
                registered: neuron.registered,
                emission: neuron.emission,
                owner: owner == Some(Uid(uid)),
            })
            .collect();
        prune::neuron(&ranks, self.hyperparameters.immunity, block).map(Uid)
    }

    /// Puts a newcomer into the slot that [`Self::slot_for_newcomer`] named. Clears weights and bonds for the slot,
    /// because they were for another node. Returns the neuron that lost the slot.
    pub(crate) fn place(&mut self, newcomer: Neuron, uid: Uid) -> Option<Arc<Neuron>> {
        let Some(slot) = self.neurons.get_mut(usize::from(uid.0)) else {
            self.neurons.push(Arc::new(newcomer));
            return None;
        };
        // The whole neuron is replaced: emission, bonds, permit and commits of the former holder go with
        // it.
        let former = std::mem::replace(slot, Arc::new(newcomer));
        for neuron in self.neurons.iter_mut().filter(|neuron| neuron.speaks_of(uid)) {
            Arc::make_mut(neuron).forget(uid);
        }
        Some(former)
    }

    /// Whether a node has a slot or is the owner's.
    pub(crate) fn involves(&self, node: &NodeId) -> bool {
        self.owner_node == Some(*node) || self.uid_of(node).is_some()
    }

    /// Replaces the key of a node.
    pub(crate) fn swap(&mut self, old: NodeId, new: NodeId) {
        if let Some(neuron) = self.uid_of(&old).and_then(|uid| self.neuron_mut(uid)) {
            neuron.node = new;
        }
        if self.owner_node == Some(old) {
            self.owner_node = Some(new);
        }
    }

    /// Adds a block's emission to the pot.
    pub(crate) fn collect(&mut self, emission: u64, window: u64) {
        self.pending = self.pending.saturating_add(emission);
        let window = u128::from(window.max(1));
        // An exponential average with weight 1 / window. 32 fraction bits keep small emissions from
        // rounding to 0.
        self.average = self.average - self.average / window + (u128::from(emission) << 32) / window;
    }
}

fn is_zero(block: &u64) -> bool {
    *block == 0
}
