//! The nodes that the spec registers.

use std::collections::BTreeMap;

use nervure_primitives::{Amount, Netuid, NodeId};

use super::{NodeSpec, Role};

/// The registered nodes of a mesh, by key.
#[derive(Clone, Debug, Default)]
pub struct Registry(BTreeMap<NodeId, NodeSpec>);

impl Registry {
    pub(super) fn new(nodes: &[NodeSpec]) -> Self {
        Self(nodes.iter().map(|node| (node.id, node.clone())).collect())
    }

    /// Whether `node` is registered at all.
    pub fn is_registered(&self, node: &NodeId) -> bool {
        self.0.contains_key(node)
    }

    /// The role of `node`.
    pub fn role(&self, node: &NodeId) -> Option<Role> {
        self.0.get(node).map(|spec| spec.role)
    }

    /// The stake of `node`.
    pub fn stake(&self, node: &NodeId) -> Amount {
        self.0.get(node).map_or(Amount::ZERO, |spec| spec.stake)
    }

    /// The subnets that `node` is registered in.
    pub fn netuids(&self, node: &NodeId) -> &[Netuid] {
        self.0.get(node).map_or(&[], |spec| &spec.netuids)
    }

    /// Whether `node` is a miner of `netuid`.
    pub fn may_advertise(&self, node: &NodeId, netuid: Netuid) -> bool {
        self.role(node) == Some(Role::Miner) && self.netuids(node).contains(&netuid)
    }
}
