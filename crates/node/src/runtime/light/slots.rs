//! What a client without a state knows of the subnets: the neurons that it has proven.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use nervure_ledger::subnet::Neuron;
use nervure_primitives::{BlockHeight, Netuid, NodeId, Uid};
use nervure_protocol::Score;
use nervure_router::{NeuronTrust, SubnetTrust, TrustTable};
use parking_lot::RwLock;

/// Neurons that are kept: more than any page of experts names.
const MAX_SLOTS: usize = 65_536;

/// Neurons by subnet and node.
pub(crate) struct ProvenSlots {
    /// The subnets of the mesh spec.
    founded: BTreeSet<Netuid>,
    slots: RwLock<Slots>,
}

#[derive(Default)]
struct Slots {
    /// The block in whose state they were proven.
    height: BlockHeight,
    neurons: BTreeMap<(Netuid, NodeId), (Uid, Neuron)>,
}

impl ProvenSlots {
    /// None yet, in a mesh with these subnets in its spec.
    pub(crate) fn new(founded: impl IntoIterator<Item = Netuid>) -> Self {
        Self { founded: founded.into_iter().collect(), slots: RwLock::default() }
    }

    /// Keeps the neurons that were proven in the state after a block. Those of other blocks are dropped: all that is known
    /// is of one state.
    pub(super) fn replace(
        &self,
        height: BlockHeight,
        proven: impl IntoIterator<Item = ((Netuid, NodeId), (Uid, Neuron))>,
    ) {
        let mut slots = self.slots.write();
        if slots.height != height {
            *slots = Slots { height, ..Slots::default() };
        }
        for (of, neuron) in proven {
            if slots.neurons.len() < MAX_SLOTS {
                slots.neurons.insert(of, neuron);
            }
        }
    }

    /// The nodes whose neurons are known, by subnet.
    pub(super) fn known(&self) -> Vec<(Netuid, NodeId)> {
        self.slots.read().neurons.keys().copied().collect()
    }

    /// Whether the node has a slot in some subnet.
    pub(crate) fn has(&self, node: &NodeId) -> bool {
        self.slots.read().neurons.keys().any(|(_, known)| known == node)
    }

    /// What `read` gives for the neuron of `node` in a subnet.
    pub(crate) fn of<T>(&self, netuid: Netuid, node: &NodeId, read: impl FnOnce(&Neuron) -> T) -> Option<T> {
        self.slots.read().neurons.get(&(netuid, *node)).map(|(_, neuron)| read(neuron))
    }

    /// The block, and the trust in each of the neurons by its incentive there. A subnet that is not in the mesh spec counts
    /// only for a question that names it. Incentives are compared with the largest one
    /// that is known, and live scores are not: a client without a state does not know who may validate.
    pub(crate) fn trusts(&self) -> (BlockHeight, Arc<TrustTable>) {
        let slots = self.slots.read();
        let mut largest: BTreeMap<Netuid, u16> = BTreeMap::new();
        for ((netuid, _), (_, neuron)) in &slots.neurons {
            let entry = largest.entry(*netuid).or_default();
            *entry = (*entry).max(neuron.incentive);
        }
        let mut subnets = BTreeMap::<Netuid, SubnetTrust>::new();
        for ((netuid, node), (_, neuron)) in &slots.neurons {
            let largest = largest.get(netuid).copied().filter(|largest| *largest > 0);
            let incentive = largest.map(|largest| Score::ratio(neuron.incentive.into(), largest.into()));
            let subnet = subnets.entry(*netuid).or_default();
            // The subnets of the spec, which its user trusts. What stands behind later ones is not proven here.
            subnet.backing = if self.founded.contains(netuid) { Score::ONE } else { Score::ZERO };
            let trust = NeuronTrust { registered: BlockHeight(neuron.registered), incentive };
            subnet.neurons.insert(*node, trust);
        }
        (slots.height, Arc::new(subnets.into_iter().collect()))
    }
}
