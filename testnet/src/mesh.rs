//! The mesh spec of a testnet: everything local, every node registered, validators to begin with.

use std::collections::BTreeMap;

use nervure_anchor::AnchorAddress;
use nervure_ledger::spec::{AccountSpec, MeshSpec, NodeSpec, Role};
use nervure_primitives::{Amount, NodeId};

use crate::{TestnetError, UpOptions, state::NodeState, subnets};

/// Stake of each validator, in tokens.
const VALIDATOR_STAKE: u64 = 1_000;

/// What the testnet's own key holds, in tokens.
const OWNER_BALANCE: u64 = 100_000;

/// The spec of the mesh that `options` describe, with these `nodes` and their `anchors`; `owner` holds tokens and owns the subnets.
///
/// # Errors
/// When it does not add up, for instance because of the name.
pub(crate) fn mesh_spec(
    options: &UpOptions,
    nodes: &[NodeState],
    anchors: &BTreeMap<NodeId, AnchorAddress>,
    owner: NodeId,
) -> Result<MeshSpec, TestnetError> {
    let mut spec = MeshSpec::local(&options.name);
    spec.subnets.extend(subnets::specs());
    if let Some(seconds) = options.record_expiry_seconds {
        spec.directory.record_expiry_seconds = seconds;
    }
    if let Some(milliseconds) = options.block_milliseconds {
        spec.consensus.block_milliseconds = milliseconds;
    }
    for node in nodes {
        let stake = if node.role == Role::Validator { VALIDATOR_STAKE } else { 0 };
        spec.nodes.push(NodeSpec {
            id: node.node,
            owner: None,
            role: node.role,
            netuids: node.netuids.clone(),
            stake: tokens(stake),
            anchor: anchors.get(&node.node).copied(),
        });
        if let Some(port) = node.p2p_port {
            spec.network.bootstrap.push(format!("/ip4/127.0.0.1/udp/{port}/quic-v1/p2p/{}", node.node));
        }
    }
    spec.accounts.push(AccountSpec { owner, balance: tokens(OWNER_BALANCE) });
    for subnet in &mut spec.subnets {
        subnet.owner = Some(owner);
    }
    // Through its own text: what the nodes will read is what was checked.
    Ok(MeshSpec::parse(&spec.to_toml())?)
}

fn tokens(tokens: u64) -> Amount {
    Amount::from_tokens(tokens).unwrap_or(Amount::ZERO)
}
