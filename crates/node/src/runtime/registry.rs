//! Who may do what, as the mesh spec says, in the form that each layer asks for it.
//!
//! One value behind two traits: the network asks who is registered, the expert directory who may advertise. The
//! finalised ledger will stand here in the spec's place.

use std::sync::Arc;

use nervure_ledger::spec::{self, MeshSpec};
use nervure_p2p::Admission;
use nervure_primitives::{Netuid, NodeId};
use nervure_subnet::Registry;

/// The mesh spec's registry. Cheap to clone.
#[derive(Clone)]
pub(crate) struct SpecRegistry(Arc<spec::Registry>);

impl SpecRegistry {
    /// The registry of `spec`.
    pub(crate) fn new(spec: &MeshSpec) -> Self {
        Self(Arc::new(spec.registry()))
    }

    /// What `node` is registered as.
    pub(crate) fn role(&self, node: &NodeId) -> Option<spec::Role> {
        self.0.role(node)
    }

    /// The subnets that `node` is registered in.
    pub(crate) fn netuids(&self, node: &NodeId) -> &[Netuid] {
        self.0.netuids(node)
    }
}

impl Admission for SpecRegistry {
    fn is_registered(&self, node: &NodeId) -> bool {
        self.0.is_registered(node)
    }
}

impl Registry for SpecRegistry {
    fn may_advertise(&self, node: &NodeId, netuid: Netuid) -> bool {
        self.0.may_advertise(node, netuid)
    }
}
