//! Reads the last checkpoint from the mesh's contract, for a node that starts from it.

#[cfg(feature = "anchor-evm")]
use nervure_anchor::Anchor;
use nervure_anchor::{AnchorError, AnchoredCheckpoint};
#[cfg(feature = "anchor-evm")]
use nervure_anchor_evm::{EvmAnchor, EvmConfig, Finality, Limits};
#[cfg(feature = "anchor-evm")]
use nervure_ledger::spec::Scope;
use nervure_ledger::spec::{AnchorPlace, MeshSpec};

/// Why no anchored checkpoint can be read.
#[derive(Debug, thiserror::Error)]
pub enum AnchoredError {
    /// The mesh has no contract.
    #[error("the mesh spec names no contract ([network] anchor) that keeps checkpoints")]
    NoContract,
    /// The contract cannot be read or verified.
    #[error("the contract that keeps checkpoints: {0}")]
    Contract(#[from] AnchorError),
    /// The contract is empty.
    #[cfg(feature = "anchor-evm")]
    #[error("no checkpoint is anchored yet")]
    Nothing,
    /// The build has no client of EVM chains.
    #[cfg(not(feature = "anchor-evm"))]
    #[error("this build cannot reach the chain of the contract; build with --features anchor-evm")]
    Unsupported,
}

/// How to reach the contract of the mesh of `spec` over `endpoints`.
#[cfg(feature = "anchor-evm")]
pub(super) fn config(place: &AnchorPlace, spec: &MeshSpec, endpoints: &[String]) -> EvmConfig {
    let (finality, limits) = match spec.mesh.scope {
        // A development chain has a block per transaction, so that none would ever follow the last.
        Scope::Local => (Finality::Depth(0), Limits::LOCAL),
        Scope::Public => (Finality::Finalized, Limits::PUBLIC),
    };
    EvmConfig { endpoints: endpoints.to_vec(), domain: place.domain(), since: place.since, finality, limits }
}

/// The last checkpoint in the contract of the mesh of `spec`. As good as `endpoints` are: all that answer have to agree.
#[cfg(feature = "anchor-evm")]
pub(crate) async fn last_anchored(
    spec: &MeshSpec,
    endpoints: &[String],
) -> Result<(AnchorPlace, AnchoredCheckpoint), AnchoredError> {
    let place = spec.network.anchor.ok_or(AnchoredError::NoContract)?;
    let contract = EvmAnchor::connect(config(&place, spec, endpoints), spec.mesh_id(), None).await?;
    let (head, _) = contract.head().await?;
    Ok((place, contract.at(head).await?.ok_or(AnchoredError::Nothing)?))
}

/// Always an error: this build cannot read a contract.
#[cfg(not(feature = "anchor-evm"))]
pub(crate) async fn last_anchored(
    spec: &MeshSpec,
    _endpoints: &[String],
) -> Result<(AnchorPlace, AnchoredCheckpoint), AnchoredError> {
    spec.network.anchor.ok_or(AnchoredError::NoContract)?;
    Err(AnchoredError::Unsupported)
}

/// Refuses settings that need a client of the chain, which this build does not have.
#[cfg(not(feature = "anchor-evm"))]
pub(crate) fn check_supported(spec: &MeshSpec, endpoints: &[String]) -> Result<(), AnchoredError> {
    if spec.network.anchor.is_some() && !endpoints.is_empty() {
        return Err(AnchoredError::Unsupported);
    }
    Ok(())
}
