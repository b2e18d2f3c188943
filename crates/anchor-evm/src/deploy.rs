//! Deploying a contract. Any account may; the deployer has no rights over the contract.

use alloy::{primitives::TxKind, sol_types::SolValue};
use nervure_anchor::{AnchorAddress, AnchorDomain, AnchorError};
use nervure_primitives::{BlockHeight, Hash, MeshId};

use crate::{
    Account, Limits,
    artefact::Artefact,
    convert::word,
    rpc::Rpc,
    send::{Call, send},
};

/// The constructor's arguments; they never change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deployment {
    /// The mesh.
    pub mesh: MeshId,
    /// The height that the first checkpoint has to exceed.
    pub height: BlockHeight,
    /// The hash of the set that signs the first checkpoint.
    pub validators: Hash,
}

/// A contract on a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeployedContract {
    /// The chain and the contract.
    pub domain: AnchorDomain,
    /// The block of its deployment.
    pub block: u64,
    /// The gas that the deployment used.
    pub gas: u64,
}

/// Deploys a contract through `endpoint`.
///
/// # Errors
/// When the chain cannot be reached, costs too much or rejects the transaction.
pub async fn deploy(
    endpoint: &str,
    account: &Account,
    deployment: &Deployment,
    limits: &Limits,
) -> Result<DeployedContract, AnchorError> {
    let artefact = Artefact::load().map_err(AnchorError::Untrustworthy)?;
    deploy_code(endpoint, account, deployment, limits, &artefact.bytecode).await
}

/// Deploys `code` instead of the contract: tests have broken ones.
///
/// # Errors
/// As for [`deploy`].
pub async fn deploy_code(
    endpoint: &str,
    account: &Account,
    deployment: &Deployment,
    limits: &Limits,
    code: &[u8],
) -> Result<DeployedContract, AnchorError> {
    let rpc = Rpc::new(endpoint, limits)?;
    let Deployment { mesh, height, validators } = deployment;
    let arguments = (word(Hash::from_bytes(*mesh.as_bytes())), height.0, word(*validators)).abi_encode();
    let input = [code, &arguments].concat().into();
    let chain = rpc.chain().await?;
    let call = Call { chain, to: TxKind::Create, input };
    let receipt = send(&rpc, account, &call, limits, &mut None).await?;
    let contract = receipt.contract_address.filter(|_| receipt.status());
    let Some((contract, block)) = contract.zip(receipt.block_number) else {
        return Err(AnchorError::Untrustworthy("the deployment reverted".into()));
    };
    let domain = AnchorDomain { chain, contract: AnchorAddress::from_bytes(contract.into_array()) };
    Ok(DeployedContract { domain, block, gas: receipt.gas_used })
}
