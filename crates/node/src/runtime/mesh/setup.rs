//! What a node is started with, and what follows from it.

use std::{sync::Arc, time::Duration};

use nervure_ledger::spec::MeshSpec;
use nervure_light::TrustAnchor;
use nervure_p2p::{
    AddressScope, NetworkHandle,
    query::{MappedPort, QueryServer},
};
use nervure_primitives::NodeKey;

use crate::{
    config::{Beginning, NodeConfig},
    runtime::{
        address::QueryPlace,
        light::{LightHandle, ProvenSlots},
        registry::LedgerRegistry,
        scope,
    },
};

/// What a node is started with.
#[derive(Clone, Copy)]
pub(crate) struct MeshSetup<'a> {
    pub config: &'a NodeConfig,
    pub spec: &'a MeshSpec,
    pub key: &'a NodeKey,
    /// What a client without a state has proven; none for other nodes.
    pub slots: Option<&'a Arc<ProvenSlots>>,
}

impl MeshSetup<'_> {
    /// Whether this node only asks, and stays no longer than a command runs.
    pub(super) fn is_ephemeral(&self, registry: &LedgerRegistry) -> bool {
        registry.role(&self.key.node_id()).is_none() && self.config.role.is_none()
    }

    /// The client of others' proofs. It trusts what the configuration names, else the genesis.
    pub(super) fn light(&self, network: &NetworkHandle) -> Option<LightHandle> {
        let anchor = match self.config.beginning {
            Some(Beginning::Block(block)) => TrustAnchor::Block(block),
            Some(Beginning::Genesis | Beginning::Anchored) | None => {
                TrustAnchor::Genesis(Box::new(self.spec.clone()))
            }
        };
        let slots = self.slots?.clone();
        let endpoints = self.config.endpoints.clone();
        Some(LightHandle::new(network.clone(), self.spec, anchor, slots, endpoints))
    }

    /// Where `server` is asked, with the port that the router opens for it.
    pub(crate) fn place(&self, server: &QueryServer, mapped: Option<MappedPort>) -> QueryPlace {
        let (external, bound) = (self.config.external.clone(), server.local_addrs().to_vec());
        QueryPlace { external, bound, mapped, scope: scope(self.spec), sealed: self.config.sealed }
    }

    /// The port of `server`, to be opened in the local router: in a public mesh, unless the operator names an address or the
    /// node is sealed.
    pub(crate) fn mapped_port(&self, server: &QueryServer) -> Option<MappedPort> {
        let wanted = scope(self.spec) == AddressScope::Public
            && self.config.external.is_empty()
            && !self.config.sealed;
        // Routers map ports of IPv4 only; without it there is nothing to map.
        let v4 = server.local_addrs().iter().find(|address| address.is_ipv4());
        v4.filter(|_| wanted).map(|address| MappedPort::new(address.port()))
    }

    /// The time from one block to the next.
    pub(super) fn block_time(&self) -> Duration {
        Duration::from_millis(self.spec.consensus.block_milliseconds.into())
    }
}
