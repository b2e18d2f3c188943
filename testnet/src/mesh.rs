//! The mesh spec of a testnet: on loopback, with every node registered and every validator staked.

use std::collections::BTreeMap;

use nervure_anchor::AnchorAddress;
use nervure_ledger::spec::{AccountSpec, MeshSpec, NodeSpec, Role};
use nervure_primitives::{Amount, NodeId};

use crate::{TestnetError, UpOptions, state::NodeState, subnets};

/// Stake of each validator, in tokens.
const VALIDATOR_STAKE: u64 = 1_000;

/// Stake of each gateway, in tokens: miners serve an asker with stake before free keys.
const GATEWAY_STAKE: u64 = 10;

/// Balance of each validator, in tokens.
const VALIDATOR_BALANCE: u64 = 1;

/// Balance of the testnet's owner key, in tokens.
const OWNER_BALANCE: u64 = 100_000;

/// The spec of the mesh that `options` describe, with these `nodes` and their `anchors`; `owner` has tokens and owns
/// the subnets.
///
/// # Errors
/// When the spec is not valid, for instance because of the name.
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
        let stake = match node.role {
            Role::Validator => VALIDATOR_STAKE,
            Role::Gateway => GATEWAY_STAKE,
            Role::Miner => 0,
        };
        spec.nodes.push(
            NodeSpec::new(node.node, node.role)
                .in_subnets(node.netuids.clone())
                .with_stake(tokens(stake))
                .with_anchor(anchors.get(&node.node).copied()),
        );
        if node.role == Role::Validator {
            // It owns itself, and deposits something when it votes or registers an anchor key.
            spec.accounts.push(AccountSpec::new(node.node, tokens(VALIDATOR_BALANCE)));
        }
        if let Some(port) = node.p2p_port {
            spec.network.bootstrap.push(format!("/ip4/127.0.0.1/udp/{port}/quic-v1/p2p/{}", node.node));
        }
    }
    spec.accounts.push(AccountSpec::new(owner, tokens(OWNER_BALANCE)));
    for subnet in &mut spec.subnets {
        subnet.owner = Some(owner);
    }
    // Parsed from its own text, which is what the nodes read.
    Ok(MeshSpec::parse(&spec.to_toml())?)
}

fn tokens(tokens: u64) -> Amount {
    Amount::from_tokens(tokens).unwrap_or(Amount::ZERO)
}
