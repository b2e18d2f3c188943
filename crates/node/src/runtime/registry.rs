//! The permissions that the ledger grants, in the form that each layer asks for.
//!
//! One value behind three traits: the network asks which nodes are registered, the expert directory which may advertise,
//! and the handlers of assignments and scores which are validators. The answers come from the last block that this node
//! has. An ephemeral client follows no chain and answers from the genesis.

use std::sync::Arc;

use nervure_ledger::{
    chain::Tip,
    spec::{self, MeshSpec},
    state::LedgerState,
};
use nervure_p2p::Admission;
use nervure_primitives::{BlockHeight, Netuid, NodeId};
use nervure_protocol::{Neurons, Registry};
use nervure_store::StoreError;
use tokio::sync::watch;

use super::chain::ChainView;

/// The registry in the last block. Cheap to clone.
#[derive(Clone)]
pub(crate) struct LedgerRegistry(watch::Receiver<ChainView>);

impl LedgerRegistry {
    /// The registry in the last block of `view`, now and later.
    pub(crate) fn new(view: watch::Receiver<ChainView>) -> Self {
        Self(view)
    }

    /// The registry in the genesis of `spec`.
    pub(crate) fn of(spec: &MeshSpec) -> Result<Self, StoreError> {
        Ok(Self(watch::Sender::new(ChainView::genesis(spec)?).subscribe()))
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
        self.0.borrow().tip.clone()
    }

    fn with<T>(&self, read: impl FnOnce(&LedgerState) -> T) -> T {
        read(&self.tip().state)
    }
}

impl Admission for LedgerRegistry {
    fn is_registered(&self, node: &NodeId) -> bool {
        self.with(|state| state.nodes().get(node).is_some())
    }
}

impl Registry for LedgerRegistry {
    fn may_advertise(&self, node: &NodeId, netuid: Netuid) -> bool {
        self.with(|state| state.subnets().get(&netuid).is_some_and(|subnet| subnet.uid_of(node).is_some()))
    }
}

impl Neurons for LedgerRegistry {
    fn may_validate(&self, node: &NodeId, netuid: Netuid) -> bool {
        self.with(|state| {
            let subnet = state.subnets().get(&netuid);
            let neuron = subnet.and_then(|subnet| subnet.neuron(subnet.uid_of(node)?));
            neuron.is_some_and(|neuron| neuron.permit)
        })
    }

    fn registered_at(&self, node: &NodeId, netuid: Netuid) -> Option<BlockHeight> {
        self.with(|state| {
            let subnet = state.subnets().get(&netuid)?;
            subnet.neuron(subnet.uid_of(node)?).map(|neuron| BlockHeight(neuron.registered))
        })
    }
}
