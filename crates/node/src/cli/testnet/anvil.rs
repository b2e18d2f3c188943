//! Anvil, a chain on this machine whose contract keeps a testnet's checkpoints.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::bail;
use nervure_anchor_evm::{Deployment, Limits, anvil, deploy};
use nervure_ledger::{
    spec::{AnchorPlace, MeshSpec},
    state::LedgerState,
};
use nervure_primitives::BlockHeight;
use nervure_testnet::{DeployFuture, DevelopmentChain};

/// Directory of the contract's npm packages, from the root of the repository.
const NPM_MODULES_DIR: &str = "contracts/node_modules";

/// How long the chain may take to start.
const START_TIMEOUT: Duration = Duration::from_secs(30);

/// Pause between two attempts to reach the chain.
const RETRY_DELAY: Duration = Duration::from_millis(50);

/// Finds the installed anvil.
pub(super) fn find() -> anyhow::Result<Arc<dyn DevelopmentChain>> {
    match anvil::find(Path::new(NPM_MODULES_DIR)) {
        Ok(program) => Ok(Arc::new(Anvil { program })),
        Err(_) => bail!(
            "anvil, the program that runs the development chain, is not installed\n\
             install it: npm install --prefix contracts @foundry-rs/anvil-linux-amd64 (in a clone: cd contracts && \
             npm ci --ignore-scripts), or name one: {}=PATH",
            anvil::ANVIL_ENV
        ),
    }
}

/// Anvil.
#[derive(Debug)]
struct Anvil {
    program: PathBuf,
}

impl DevelopmentChain for Anvil {
    fn program(&self) -> &Path {
        &self.program
    }

    fn arguments(&self, port: u16, state: &Path) -> Vec<OsString> {
        let save_every = Some(Duration::from_secs(1));
        anvil::AnvilOptions { port, state: Some(state.into()), save_interval: save_every, block_time: None }
            .arguments()
    }

    fn deploy<'a>(&'a self, endpoint: &'a str, spec: &'a MeshSpec) -> DeployFuture<'a> {
        Box::pin(deploy_and_fund(endpoint, spec))
    }
}

async fn deploy_and_fund(endpoint: &str, spec: &MeshSpec) -> Result<AnchorPlace, String> {
    let state = LedgerState::genesis(spec).map_err(|error| error.to_string())?;
    let successors = state.anchors().successors().ok_or("the mesh spec names no anchor keys")?;
    let deployment =
        Deployment { mesh: spec.mesh_id(), height: BlockHeight(0), validators: successors.hash() };
    let account = anvil::Anvil::account().ok_or("the chain has no account")?;
    let until = Instant::now() + START_TIMEOUT;
    let deployed = loop {
        match deploy(endpoint, &account, &deployment, &Limits::LOCAL).await {
            // The chain has just been started and may not answer yet.
            Err(error) if error.is_transient() && Instant::now() < until => {
                tokio::time::sleep(RETRY_DELAY).await
            }
            other => break other.map_err(|error| error.to_string())?,
        }
    };
    // Each validator pays from its own account: transactions of one account would compete for its nonces.
    let payers: Vec<_> = successors.members().iter().map(|member| member.address).collect();
    anvil::fund(endpoint, &payers, &Limits::LOCAL).await.map_err(|error| error.to_string())?;
    let domain = deployed.domain;
    Ok(AnchorPlace { chain: domain.chain, contract: domain.contract, since: deployed.block })
}
