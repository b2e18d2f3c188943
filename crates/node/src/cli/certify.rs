//! `ask --verify`: proves the incentives and the stakes that were used to select the experts of an answer.
//!
//! The node that asked names the block whose incentives it used. The light client follows certificates from the trusted
//! header to that block and reads each expert's incentive, and the stake behind its subnet, from the state under it. Two
//! more inputs of the selection are not certified: the live scores that validators have signed since the subnet's last epoch, and the node's own
//! observations.

use std::collections::BTreeSet;

use nervure_api::BackingView;
use nervure_primitives::{BlockHeight, Hash, Netuid, NodeId, Uid};
use serde::Serialize;

use super::trust::{LightError, NodeVerifier};

/// The ledger's incentives are parts of this.
const INCENTIVE_SCALE: f64 = 65_535.0;

/// The proven incentives, and the block that proves them.
#[derive(Debug, Serialize)]
pub(super) struct IncentiveProof {
    height: BlockHeight,
    block: Hash,
    signers: usize,
    validators: usize,
    trusted: String,
    experts: Vec<Incentive>,
    subnets: Vec<ProvenBacking>,
}

/// The stake behind a subnet.
#[derive(Debug, Serialize)]
struct ProvenBacking {
    netuid: Netuid,
    #[serde(flatten)]
    backing: BackingView,
}

/// An expert's share of what the miners of its subnet earn.
#[derive(Debug, Serialize)]
struct Incentive {
    node: NodeId,
    netuid: Netuid,
    uid: Uid,
    /// From 0 to 1.
    incentive: f64,
}

/// Proves the incentives of nodes in subnets after the block at `height`.
pub(super) async fn certify(
    light: &mut NodeVerifier,
    height: BlockHeight,
    experts: &[(Netuid, NodeId)],
) -> Result<IncentiveProof, LightError> {
    let at = light.checkpoint(Some(height)).await?;
    let mut proven = Vec::new();
    for (netuid, node) in experts {
        let (uid, neuron) = light.neuron((*netuid, *node), height).await?;
        let incentive = f64::from(neuron.incentive) / INCENTIVE_SCALE;
        proven.push(Incentive { node: *node, netuid: *netuid, uid, incentive });
    }
    let mut subnets = Vec::new();
    for netuid in experts.iter().map(|(netuid, _)| *netuid).collect::<BTreeSet<_>>() {
        let backing = light.backing(netuid, height).await?.into();
        subnets.push(ProvenBacking { netuid, backing });
    }
    Ok(IncentiveProof {
        height,
        block: at.header.id(),
        signers: at.certificate.signatures.len(),
        validators: at.validators.len(),
        trusted: light.trusted().to_owned(),
        experts: proven,
        subnets,
    })
}

impl IncentiveProof {
    /// As text: one line for the block, one for each expert and one for each subnet.
    pub(super) fn lines(&self) -> Vec<String> {
        let Self { height, block, signers, validators, trusted, experts, subnets } = self;
        let block = format!(
            "certified: block {height} ({block}) by {signers} of {validators} validators, from {trusted}; in its state"
        );
        let expert = |Incentive { node, netuid, uid, incentive }: &Incentive| {
            format!("  {node} has an incentive of {incentive:.5} in subnet {netuid} (uid {uid})")
        };
        let subnet = |ProvenBacking { netuid, backing }: &ProvenBacking| {
            format!("  behind subnet {netuid}: {}", backing.in_words())
        };
        let block = std::iter::once(block);
        block.chain(experts.iter().map(expert)).chain(subnets.iter().map(subnet)).collect()
    }
}
