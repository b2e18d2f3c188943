//! The mesh part of a node, for the discovery measurement: without a chain and without an HTTP API.

use std::net::Ipv4Addr;

use nervure_bench::DiscoveryNode;
use nervure_ledger::spec::MeshSpec;
use nervure_p2p::NetworkStatus;
use nervure_primitives::{Capability, NodeKey};
use nervure_protocol::SignedRecord;
use tempfile::TempDir;

use crate::{
    config::{NodeConfig, Preset},
    runtime::{LedgerRegistry, Mesh, MeshSetup},
};

/// One swarm, in a temporary directory.
pub(super) struct BenchNode {
    mesh: Mesh,
    _dir: TempDir,
}

impl DiscoveryNode for BenchNode {
    async fn start(spec: &MeshSpec, key: &NodeKey, p2p_port: u16) -> anyhow::Result<Self> {
        let dir = tempfile::tempdir()?;
        let mut config = NodeConfig::new(Preset::Local, dir.path().into());
        (config.bind, config.p2p_port) = (vec![Ipv4Addr::LOCALHOST.into()], p2p_port);
        let setup = MeshSetup { config: &config, spec, key, slots: None };
        let mesh = Mesh::start(setup, LedgerRegistry::of(spec)?, None).await?;
        Ok(Self { mesh, _dir: dir })
    }

    async fn warm(&self) {
        self.mesh.directory.warm().await;
    }

    async fn find(&self, capability: &Capability) {
        self.mesh.directory.find(Some(capability)).await;
    }

    async fn publish(&self, records: &[SignedRecord]) {
        self.mesh.directory.publish(records).await;
    }

    fn known_experts(&self) -> usize {
        self.mesh.catalog.len()
    }

    async fn status(&self) -> anyhow::Result<NetworkStatus> {
        Ok(self.mesh.network.status().await?)
    }

    async fn stop(self) {
        self.mesh.end().await;
    }
}
