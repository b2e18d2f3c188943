//! Reading the mesh's contract, for whoever begins with what it keeps.

use nervure_anchor::{Anchor, AnchorError, AnchoredCheckpoint};
use nervure_anchor_evm::{EvmAnchor, EvmConfig, Finality, Limits};
use nervure_ledger::spec::{AnchorPlace, MeshSpec, Scope};

/// Why there is nothing to begin with.
#[derive(Debug, thiserror::Error)]
pub enum AnchoredError {
    /// Checkpoints of this mesh are in no contract.
    #[error("the mesh spec names no contract ([network] anchor) that keeps checkpoints")]
    NoContract,
    /// The contract cannot be read, or not be believed.
    #[error("the contract that keeps checkpoints: {0}")]
    Contract(#[from] AnchorError),
    /// The contract is empty.
    #[error("no checkpoint is anchored yet")]
    Nothing,
}

/// How to reach the contract of the mesh of `spec` over `endpoints`.
pub(super) fn config(place: &AnchorPlace, spec: &MeshSpec, endpoints: &[String]) -> EvmConfig {
    let (finality, limits) = match spec.mesh.scope {
        // A development chain has a block per transaction, so that none would ever follow the last.
        Scope::Local => (Finality::Depth(0), Limits::LOCAL),
        Scope::Public => (Finality::Finalized, Limits::PUBLIC),
    };
    EvmConfig { endpoints: endpoints.to_vec(), domain: place.domain(), since: place.since, finality, limits }
}

/// The last checkpoint in the contract of the mesh of `spec`. As good as `endpoints` are: all that answer have to agree.
pub(crate) async fn last_anchored(
    spec: &MeshSpec,
    endpoints: &[String],
) -> Result<(AnchorPlace, AnchoredCheckpoint), AnchoredError> {
    let place = spec.network.anchor.ok_or(AnchoredError::NoContract)?;
    let contract = EvmAnchor::connect(config(&place, spec, endpoints), spec.mesh_id(), None).await?;
    let (head, _) = contract.head().await?;
    Ok((place, contract.at(head).await?.ok_or(AnchoredError::Nothing)?))
}
