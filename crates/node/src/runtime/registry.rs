//! The permissions that the ledger grants, in the form that each layer asks for.
//!
//! One value behind three traits: the network asks which nodes are registered, the expert directory which may advertise,
//! and the handlers of assignments and scores which are validators. The answers come from the last block that this node
//! has. A client without a state answers from the neurons that it has proven, and else from the genesis.

use std::{num::NonZeroU32, sync::Arc};

use nervure_ledger::{
    chain::Tip,
    spec::{self, MeshSpec},
    state::LedgerState,
};
use nervure_p2p::Admission;
use nervure_primitives::{BlockHeight, Netuid, NodeId};
use nervure_protocol::{AskerClass, AskerStanding, Neurons, Registry};
use nervure_store::StoreError;
use tokio::sync::watch;

use super::{chain::ChainView, light::ProvenSlots};

/// The registry in the last block. Cheap to clone.
#[derive(Clone)]
pub(crate) struct LedgerRegistry {
    view: watch::Receiver<ChainView>,
    /// What a client without a state has proven.
    proven: Option<Arc<ProvenSlots>>,
}

impl LedgerRegistry {
    /// The registry in the last block of `view`, now and later.
    pub(crate) fn new(view: watch::Receiver<ChainView>) -> Self {
        Self { view, proven: None }
    }

    /// The registry in the genesis of `spec`.
    pub(crate) fn of(spec: &MeshSpec) -> Result<Self, StoreError> {
        Ok(Self::new(watch::Sender::new(ChainView::genesis(spec)?).subscribe()))
    }

    /// The neurons that are proven in `slots`, and the nodes of the genesis of `spec`.
    pub(crate) fn proven(spec: &MeshSpec, slots: Arc<ProvenSlots>) -> Result<Self, StoreError> {
        Ok(Self { proven: Some(slots), ..Self::of(spec)? })
    }

    /// What is proven, where this node has no state.
    pub(crate) fn slots(&self) -> Option<&ProvenSlots> {
        self.proven.as_deref()
    }

    /// The role of `node`: validator with a permit or among those that joined to make blocks, miner with a slot, gateway when it is registered in the ledger and in
    /// no subnet.
    pub(crate) fn role(&self, node: &NodeId) -> Option<spec::Role> {
        self.with(|state| {
            let neurons: Vec<_> = state
                .subnets()
                .values()
                .filter_map(|subnet| subnet.uid_of(node).and_then(|uid| subnet.neuron(uid)))
                .collect();
            let known = state.nodes().get(node).is_some().then_some(spec::Role::Gateway);
            match state.roster().has_joined(node) || neurons.iter().any(|neuron| neuron.permit) {
                true => Some(spec::Role::Validator),
                false => neurons.first().map(|_| spec::Role::Miner).or(known),
            }
        })
    }

    /// The subnets that `node` is registered in.
    pub(crate) fn netuids(&self, node: &NodeId) -> Vec<Netuid> {
        self.with(|state| {
            let subnets = state.subnets().iter();
            subnets.filter(|(_, subnet)| subnet.uid_of(node).is_some()).map(|(netuid, _)| *netuid).collect()
        })
    }

    /// All subnets.
    pub(crate) fn subnets(&self) -> Vec<Netuid> {
        self.with(|state| state.subnets().keys().copied().collect())
    }

    /// The last block that this node knows, and the state after it.
    pub(crate) fn tip(&self) -> Arc<Tip> {
        self.view.borrow().tip.clone()
    }

    fn with<T>(&self, read: impl FnOnce(&LedgerState) -> T) -> T {
        read(&self.tip().state)
    }
}

impl Admission for LedgerRegistry {
    fn is_registered(&self, node: &NodeId) -> bool {
        self.slots().is_some_and(|slots| slots.has(node))
            || self.with(|state| state.nodes().get(node).is_some())
    }

    fn standing(&self, node: &NodeId) -> AskerStanding {
        self.with(|state| standing(state, node, state.subnets().keys()))
    }
}

/// The askers of a node with experts: permits count only in the subnets that it serves. A subnet of one's own, in which
/// one permits oneself, costs little and says nothing to others.
pub(crate) struct Askers {
    registry: LedgerRegistry,
    netuids: Vec<Netuid>,
}

impl Askers {
    /// Of a node that serves in `netuids`.
    pub(crate) fn of(registry: LedgerRegistry, netuids: impl IntoIterator<Item = Netuid>) -> Self {
        Self { registry, netuids: netuids.into_iter().collect() }
    }
}

impl Admission for Askers {
    fn is_registered(&self, node: &NodeId) -> bool {
        self.registry.is_registered(node)
    }

    fn standing(&self, node: &NodeId) -> AskerStanding {
        self.registry.with(|state| standing(state, node, self.netuids.iter()))
    }
}

/// Stake of its owner's behind a node's key from which on it counts as staked: a hundredth of what a validator needs, in a
/// public mesh 10 tokens. They stay the owner's; but they are locked, and a flood needs many keys.
fn least_stake(state: &LedgerState) -> u64 {
    let params = state.params();
    params.min_stake.max(params.min_self_stake / 100).max(1)
}

/// The class of an asker by the last finalised block. A registration alone costs a fee of a millionth of a token, and lifts
/// nothing that matters.
fn standing<'n>(
    state: &LedgerState,
    key: &NodeId,
    mut netuids: impl Iterator<Item = &'n Netuid>,
) -> AskerStanding {
    let Some(node) = state.nodes().get(key) else { return AskerStanding::of(AskerClass::Stranger) };
    let has_permit = |netuid: &Netuid| {
        let subnet = state.subnets().get(netuid);
        let neuron = subnet.and_then(|subnet| subnet.neuron(subnet.uid_of(key)?));
        neuron.is_some_and(|neuron| neuron.permit)
    };
    let least = least_stake(state);
    let own = state.nodes().stake_of(key, &node.owner).base_units();
    let makes_blocks = own >= least && state.roster().has_joined(key);
    if makes_blocks || netuids.any(has_permit) {
        return weighted(AskerClass::Validator, node.stake().base_units() / least);
    }
    match own >= least {
        true => weighted(AskerClass::Staked, own / least),
        false => AskerStanding::of(AskerClass::Registered),
    }
}

/// A class with a weight by stake.
fn weighted(class: AskerClass, stake: u64) -> AskerStanding {
    let weight = u32::try_from(stake).ok().and_then(NonZeroU32::new);
    AskerStanding {
        class,
        weight: weight.unwrap_or(if stake == 0 { NonZeroU32::MIN } else { NonZeroU32::MAX }),
    }
}

impl Registry for LedgerRegistry {
    fn may_advertise(&self, node: &NodeId, netuid: Netuid) -> bool {
        if let Some(slots) = self.slots() {
            return slots.of(netuid, node, |_| ()).is_some();
        }
        self.with(|state| state.subnets().get(&netuid).is_some_and(|subnet| subnet.uid_of(node).is_some()))
    }
}

impl Neurons for LedgerRegistry {
    fn may_validate(&self, node: &NodeId, netuid: Netuid) -> bool {
        if let Some(slots) = self.slots() {
            return slots.of(netuid, node, |neuron| neuron.permit).unwrap_or(false);
        }
        self.with(|state| {
            let subnet = state.subnets().get(&netuid);
            let neuron = subnet.and_then(|subnet| subnet.neuron(subnet.uid_of(node)?));
            neuron.is_some_and(|neuron| neuron.permit)
        })
    }

    fn registered_at(&self, node: &NodeId, netuid: Netuid) -> Option<BlockHeight> {
        if let Some(slots) = self.slots() {
            return slots.of(netuid, node, |neuron| BlockHeight(neuron.registered));
        }
        self.with(|state| {
            let subnet = state.subnets().get(&netuid)?;
            subnet.neuron(subnet.uid_of(node)?).map(|neuron| BlockHeight(neuron.registered))
        })
    }
}

#[cfg(test)]
mod tests {
    use nervure_ledger::spec::{NodeSpec, Role, SubnetSpec};
    use nervure_primitives::{Amount, NodeKey};

    use super::*;

    fn id(number: u8) -> NodeId {
        NodeKey::from_seed(&[number; 32]).node_id()
    }

    /// A mesh with a subnet, and nodes of each kind: 1 a validator, 2 a gateway with stake, 3 one without, 4 a gateway with
    /// ten times the stake, 5 a miner.
    fn registry() -> LedgerRegistry {
        let mut spec = MeshSpec::test("m");
        spec.subnets = vec![SubnetSpec::new(Netuid(1), "a", None)];
        let least = spec.economy.min_stake.max(spec.economy.min_self_stake / 100);
        let stake = |times| Amount::from_base_units(least * times);
        let mut spec = spec.with_validator(id(1), stake(100)).with_miner(id(5));
        for (number, times) in [(2, 1), (3, 0), (4, 10)] {
            spec.nodes.push(NodeSpec::new(id(number), Role::Gateway).with_stake(stake(times)));
        }
        LedgerRegistry::of(&spec).unwrap()
    }

    #[test]
    fn the_class_follows_from_stake_and_permit_and_not_from_a_registration() {
        let askers = Askers::of(registry(), [Netuid(1)]);
        let class = |number| askers.standing(&id(number)).class;
        assert_eq!(class(1), AskerClass::Validator);
        assert_eq!(class(2), AskerClass::Staked);
        assert_eq!((class(3), class(5)), (AskerClass::Registered, AskerClass::Registered));
        assert_eq!(class(9), AskerClass::Stranger);
        let weight = |number| askers.standing(&id(number)).weight.get();
        assert_eq!((weight(4), weight(2), weight(3)), (10, 1, 1), "by stake");
        assert!(askers.is_registered(&id(3)) && !askers.is_registered(&id(9)));
    }
}
