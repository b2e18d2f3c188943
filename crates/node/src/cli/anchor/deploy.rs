//! `nervure anchor deploy`: deploys the contract that keeps a mesh's checkpoints.

use std::path::PathBuf;

use anyhow::{Context, bail};
use nervure_anchor::{AnchorKey, AnchorSet};
use nervure_anchor_evm::{Account, Deployment, Limits, deploy};
use nervure_ledger::{
    spec::AnchorPlace,
    state::LedgerState,
    tree::{Key, Record},
};
use nervure_primitives::{BlockHeight, MeshId};

use crate::cli::{Global, mesh, output, trust::TrustArgs};

/// Deploys the contract that keeps a mesh's checkpoints; the deployer has no rights over it
#[derive(Debug, clap::Args)]
#[command(after_help = "\
With a SPEC whose [[nodes]] have anchor keys, the contract begins at the genesis. Without one, it begins at the last
checkpoint of a running mesh, which is verified first.

Examples:
  nervure anchor deploy mesh.toml --rpc http://127.0.0.1:8545 --account deployer.key
  nervure anchor deploy --rpc https://rpc.example.org --account deployer.key")]
pub(crate) struct DeployArgs {
    /// The mesh spec
    spec: Option<String>,
    /// An endpoint of the chain (JSON-RPC over HTTP)
    #[arg(long, value_name = "URL")]
    rpc: String,
    /// File with the secret key of the account that pays: 64 hexadecimal digits
    #[arg(long, value_name = "FILE")]
    account: PathBuf,
    #[command(flatten)]
    trust: TrustArgs,
}

impl DeployArgs {
    pub(super) async fn run(self, global: &Global) -> anyhow::Result<()> {
        let secret = AnchorKey::read(&self.account)?.secret();
        let account = Account::from_secret(&secret).context("the account's key is not a valid secret key")?;
        let AnchorSigners { mesh, height, set } = match &self.spec {
            Some(spec) => of_genesis(spec).await?,
            None => self.of_last_checkpoint(global).await?,
        };
        let members = set.signers().count();
        output::note(&format!(
            "for mesh {mesh}, from block {height} on; {members} validators sign the first checkpoint"
        ));
        let deployment = Deployment { mesh, height, validators: set.hash() };
        let deployed = deploy(&self.rpc, &account, &deployment, &Limits::PUBLIC).await?;
        let domain = deployed.domain;
        let place = AnchorPlace { chain: domain.chain, contract: domain.contract, since: deployed.block };
        if global.json {
            return output::json(&place);
        }
        output::note(&format!(
            "deployed with {} gas; put this under [network] in the mesh spec of every node, and restart the nodes:",
            deployed.gas
        ));
        let AnchorPlace { chain, contract, since } = place;
        output::line(&format!("anchor = {{ chain = {chain}, contract = \"{contract}\", since = {since} }}"))
    }

    /// The proven signers of the next checkpoint.
    async fn of_last_checkpoint(&self, global: &Global) -> anyhow::Result<AnchorSigners> {
        let mut light = self.trust.open(global).await?;
        let height = light.checkpoint(None).await?.height();
        let Some(Record::AnchorSets { successors, .. }) = light.record(Key::AnchorSets, height).await? else {
            bail!(
                "at block {height}, the validators with an anchor key do not have two thirds of the voting power\n\
                 let more validators register theirs: nervure anchor register"
            )
        };
        Ok(AnchorSigners { mesh: light.mesh(), height, set: successors })
    }
}

/// The validators that sign the first checkpoint of a contract.
struct AnchorSigners {
    mesh: MeshId,
    /// The block from which on they sign.
    height: BlockHeight,
    set: AnchorSet,
}

async fn of_genesis(spec: &str) -> anyhow::Result<AnchorSigners> {
    let spec = mesh::read(spec).await?;
    let state = LedgerState::genesis(&spec)?;
    match state.anchors().successors() {
        Some(set) => Ok(AnchorSigners { mesh: spec.mesh_id(), height: BlockHeight(0), set: set.clone() }),
        None => bail!(
            "the mesh spec has no anchor keys of validators with more than two thirds of the stake\n\
             add the address of each (nervure anchor key), or omit the spec if the mesh already runs"
        ),
    }
}
