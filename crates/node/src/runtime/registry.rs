//! Who may do what, as the mesh spec says, in the form that each layer asks for it.
//!
//! One value behind three traits: the swarm asks who is registered, the query plane whom to serve, and the
//! expert directory who may advertise. The finalised ledger will stand here in the spec's place.

use std::{net::SocketAddr, sync::Arc};

use nervure_ledger::spec::MeshSpec;
use nervure_p2p::{
    Admission,
    query::{Admit, QueryAdmission},
};
use nervure_primitives::{Netuid, NodeId};
use nervure_subnet::Registry;

/// The mesh spec's registry.
#[derive(Clone)]
pub(crate) struct SpecRegistry(Arc<nervure_ledger::spec::Registry>);

impl SpecRegistry {
    /// The registry of `spec`.
    pub(crate) fn new(spec: &MeshSpec) -> Self {
        Self(Arc::new(spec.registry()))
    }

    /// Whether `node` is registered in this mesh.
    pub(crate) fn is_registered(&self, node: &NodeId) -> bool {
        self.0.is_registered(node)
    }

    /// The subnets that `node` is registered in.
    pub(crate) fn netuids(&self, node: &NodeId) -> Vec<Netuid> {
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

impl QueryAdmission for SpecRegistry {
    /// Everybody may ask: strangers are the mesh's users. They share smaller quotas.
    fn admit(&self, node: &NodeId, _remote: SocketAddr) -> Admit {
        if self.0.is_registered(node) { Admit::registered() } else { Admit::stranger() }
    }
}
