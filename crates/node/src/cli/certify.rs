//! `ask --verify`: what the experts behind an answer were trusted for, proven.
//!
//! The node that asked says after which block it chose. Certificates are followed from what is trusted to begin with to
//! that block, and each expert's incentive is read from the state under it. What validators have said since that
//! subnet's last epoch counts in the choice as well: that is signed by each of them and certified by nobody. So is what
//! the node has seen itself.

use nervure_primitives::{BlockHeight, Hash, Netuid, NodeId, Uid};
use serde::Serialize;

use super::trust::{LightError, NodeVerifier};

/// Of which an incentive is a part.
const WHOLE: f64 = 65_535.0;

/// What was proven.
#[derive(Debug, Serialize)]
pub(super) struct Certified {
    height: BlockHeight,
    block: Hash,
    signers: usize,
    validators: usize,
    trusted: String,
    experts: Vec<Incentive>,
}

/// An expert's part of what its subnet's miners earn.
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
) -> Result<Certified, LightError> {
    let at = light.checkpoint(Some(height)).await?;
    let mut proven = Vec::new();
    for (netuid, node) in experts {
        let (uid, neuron) = light.neuron((*netuid, *node), height).await?;
        let incentive = f64::from(neuron.incentive) / WHOLE;
        proven.push(Incentive { node: *node, netuid: *netuid, uid, incentive });
    }
    Ok(Certified {
        height,
        block: at.header.id(),
        signers: at.certificate.signatures.len(),
        validators: at.validators.len(),
        trusted: light.trusted().to_owned(),
        experts: proven,
    })
}

impl Certified {
    /// In words, a line for the block and one for each expert.
    pub(super) fn lines(&self) -> Vec<String> {
        let Self { height, block, signers, validators, trusted, experts } = self;
        let block = format!(
            "certified: block {height} ({block}) by {signers} of {validators} validators, from {trusted}; in its state"
        );
        let expert = |Incentive { node, netuid, uid, incentive }: &Incentive| {
            format!("  {node} has an incentive of {incentive:.5} in subnet {netuid} (uid {uid})")
        };
        std::iter::once(block).chain(experts.iter().map(expert)).collect()
    }
}
