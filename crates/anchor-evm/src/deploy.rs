//! Putting a contract on a chain: anybody may, and whoever did has no rights to it.

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

/// What a contract is deployed with, for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deployment {
    /// The mesh.
    pub mesh: MeshId,
    /// The height that the first checkpoint has to exceed.
    pub height: BlockHeight,
    /// The hash of the set that signs the first checkpoint.
    pub validators: Hash,
}

/// A contract that is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deployed {
    /// The chain and the contract.
    pub domain: AnchorDomain,
    /// The block that it is in.
    pub block: u64,
    /// What it used.
    pub gas: u64,
}

/// Deploys a contract through `endpoint`.
///
/// # Errors
/// When the chain cannot be reached, costs too much or refuses.
pub async fn deploy(
    endpoint: &str,
    account: &Account,
    deployment: &Deployment,
    limits: &Limits,
) -> Result<Deployed, AnchorError> {
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
) -> Result<Deployed, AnchorError> {
    let rpc = Rpc::new(endpoint, limits)?;
    let Deployment { mesh, height, validators } = deployment;
    let arguments = (word(Hash::from_bytes(*mesh.as_bytes())), height.0, word(*validators)).abi_encode();
    let input = [code, &arguments].concat().into();
    let chain = rpc.chain().await?;
    let call = Call { chain, to: TxKind::Create, input };
    let receipt = send(&rpc, account, &call, limits, &mut None).await?;
    let contract = receipt.contract_address.filter(|_| receipt.status());
    let Some((contract, block)) = contract.zip(receipt.block_number) else {
        return Err(AnchorError::Untrustworthy("the deployment failed after it was tried".into()));
    };
    let domain = AnchorDomain { chain, contract: AnchorAddress::from_bytes(contract.into_array()) };
    Ok(Deployed { domain, block, gas: receipt.gas_used })
}
