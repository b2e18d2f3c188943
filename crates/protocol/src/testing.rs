//! Nodes, a mesh and a time for this crate's tests.

use std::time::Duration;

use nervure_primitives::{MeshId, Netuid, NodeId, NodeKey, UnixMillis};

use crate::{ExpertRecord, Registry};

pub(crate) const MESH: MeshId = MeshId::from_bytes([7; 32]);
pub(crate) const NOW: UnixMillis = UnixMillis(1_000_000);

/// Allows every node to advertise in subnet 1.
pub(crate) struct AllowAll;

impl Registry for AllowAll {
    fn may_advertise(&self, _: &NodeId, netuid: Netuid) -> bool {
        netuid == Netuid(1)
    }
}

pub(crate) fn key(seed: u8) -> NodeKey {
    NodeKey::from_seed(&[seed; 32])
}

pub(crate) fn record(seed: u8, expert: &str, capability: &str) -> ExpertRecord {
    ExpertRecord {
        node: key(seed).node_id(),
        netuid: Netuid(1),
        expert: expert.into(),
        capability: capability.parse().unwrap(),
        model: "byte-rust".into(),
        context: 256,
        max_output: 4096,
        price: 0,
        byte_level: true,
        load: 0,
        addresses: vec![([127, 0, 0, 1], 4000).into()],
        seq: 1,
        issued_at: NOW,
        expires_at: NOW.plus(Duration::from_secs(30)),
        withdrawn: false,
    }
}
