//! The mesh spec of a testnet: everything local, every node registered, validators to begin with.

use nervure_ledger::spec::{MeshSpec, NodeSpec, Role};
use nervure_primitives::{Amount, Netuid};

use crate::{TestnetError, UpOptions, state::NodeState};

/// Stake of each validator, in tokens.
const VALIDATOR_STAKE: u64 = 1_000;

/// The subnet that all nodes are in.
const NETUID: Netuid = Netuid(1);

/// The spec of the mesh that `options` describe, with these `nodes`.
///
/// # Errors
/// When it does not add up, for instance because of the name.
pub(crate) fn mesh_spec(options: &UpOptions, nodes: &[NodeState]) -> Result<MeshSpec, TestnetError> {
    let mut spec = MeshSpec::local(&options.name);
    if let Some(seconds) = options.record_expiry_seconds {
        spec.directory.record_expiry_seconds = seconds;
    }
    for node in nodes {
        let tokens = if node.role == Role::Validator { VALIDATOR_STAKE } else { 0 };
        spec.nodes.push(NodeSpec {
            id: node.node,
            owner: None,
            role: node.role,
            netuids: if node.role == Role::Gateway { Vec::new() } else { vec![NETUID] },
            stake: Amount::from_tokens(tokens).unwrap_or(Amount::ZERO),
        });
        if let Some(port) = node.p2p_port {
            spec.network.bootstrap.push(format!("/ip4/127.0.0.1/udp/{port}/quic-v1/p2p/{}", node.node));
        }
    }
    // Through its own text: what the nodes will read is what was checked.
    Ok(MeshSpec::parse(&spec.to_toml())?)
}
