//! Nodes, a mesh and a time for tests: the same in every run.

#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

use std::time::Duration;

use nervure_primitives::{Hash, MeshId, Netuid, NodeId, NodeKey, UnixMillis};

use crate::{
    ExpertRecord, ModelIdentity, Receipt, Registry,
    bounds::{MAX_DIGEST_LEN, MAX_IDENTITY_LEN},
};

/// The mesh.
pub const MESH: MeshId = MeshId::from_bytes([7; 32]);

/// The current time.
pub const NOW: UnixMillis = UnixMillis(1_000_000);

/// Allows every node to advertise in subnet 1.
pub struct AllowAll;

impl Registry for AllowAll {
    fn may_advertise(&self, _: &NodeId, netuid: Netuid) -> bool {
        netuid == Netuid(1)
    }
}

/// The key of a node.
pub fn key(seed: u8) -> NodeKey {
    NodeKey::from_seed(&[seed; 32])
}

/// A record of a free byte-level expert of the node with the key of `seed`, in subnet 1, issued now.
pub fn record(seed: u8, expert: &str, capability: &str) -> ExpertRecord {
    ExpertRecord {
        node: key(seed).node_id(),
        netuid: Netuid(1),
        expert: expert.into(),
        capability: capability.parse().unwrap(),
        model: "byte-rust".into(),
        identity: ModelIdentity::default(),
        context: 256,
        max_output: 4096,
        price: 0,
        byte_level: true,
        load: 0,
        addresses: vec![([127, 0, 0, 1], 4000).into()],
        relays: Vec::new(),
        seq: 1,
        issued_at: NOW,
        expires_at: NOW.plus(Duration::from_secs(30)),
        withdrawn: false,
    }
}

/// An identity that fills all its bounds.
pub fn largest_identity() -> ModelIdentity {
    let text = || Some("i".repeat(MAX_IDENTITY_LEN).into());
    ModelIdentity {
        digest: Some("d".repeat(MAX_DIGEST_LEN).into()),
        quant: text(),
        runtime: text(),
        sampler: text(),
    }
}

/// A receipt of the node `miner` for the node `asker`, of expert `rust`, in subnet 1, received now.
pub fn receipt(asker: NodeId, miner: NodeId) -> Receipt {
    Receipt {
        netuid: Netuid(1),
        asker,
        miner,
        query: Hash::of("q", &[]),
        request: Hash::of("r", &[]),
        answer: Hash::of("a", &[]),
        expert: "rust".into(),
        model: "byte-rust".into(),
        identity: ModelIdentity::default(),
        sampling: None,
        received_at: NOW,
        took_ms: 0,
    }
}
