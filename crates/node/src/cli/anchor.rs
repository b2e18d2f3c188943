//! `nervure anchor`: the keys that validators sign checkpoints with, and the contract that keeps those.

use std::path::PathBuf;

use anyhow::{Context, bail};
use nervure_anchor::{AnchorKey, AnchorSet, ProofOfPossession};
use nervure_anchor_evm::{Account, Deployment, Limits, deploy};
use nervure_ledger::{
    spec::AnchorPlace,
    state::LedgerState,
    transaction::{Call, RegisterAnchorKey},
    tree::{Key, Record},
};
use nervure_primitives::{BlockHeight, MeshId};
use serde::Serialize;

use super::{Global, mesh, output, sign::NodeSignArgs, trust::TrustArgs};
use crate::runtime::ANCHOR_KEY_FILE;

/// Keeps checkpoints in a contract outside of the mesh
#[derive(Debug, clap::Subcommand)]
pub(crate) enum AnchorCommand {
    Key(KeyArgs),
    Register(RegisterArgs),
    Deploy(DeployArgs),
}

/// Shows the address of the anchor key of the validator here; makes the key if there is none
#[derive(Debug, clap::Args)]
pub(crate) struct KeyArgs {
    /// The key's file [default: anchor.key in the node's directory]
    file: Option<PathBuf>,
}

/// Registers the anchor key of the validator here on the ledger, from the next election on
#[derive(Debug, clap::Args)]
pub(crate) struct RegisterArgs {
    /// The anchor key's file [default: anchor.key in the node's directory]
    #[arg(long, value_name = "FILE")]
    anchor_key: Option<PathBuf>,
    #[command(flatten)]
    terms: NodeSignArgs,
}

/// Deploys a contract for a mesh; whoever does so has no rights to it
#[derive(Debug, clap::Args)]
#[command(after_help = "\
With a SPEC whose [[nodes]] have anchor keys the contract begins at the genesis; without one, at the last checkpoint
of a mesh that runs, which is verified first.

Examples:
  nervure anchor deploy mesh.toml --rpc http://127.0.0.1:8545 --account deployer.key
  nervure anchor deploy --rpc https://rpc.example.org --account deployer.key")]
pub(crate) struct DeployArgs {
    /// The mesh spec
    spec: Option<String>,
    /// An endpoint of the chain (JSON-RPC over HTTP)
    #[arg(long, value_name = "URL")]
    rpc: String,
    /// The file with the secret key of the account that pays: 64 hexadecimal digits
    #[arg(long, value_name = "FILE")]
    account: PathBuf,
    #[command(flatten)]
    trust: TrustArgs,
}

/// A key.
#[derive(Serialize)]
struct Shown {
    address: String,
    file: PathBuf,
}

impl AnchorCommand {
    /// Runs the command.
    pub(crate) async fn run(self, global: &Global) -> anyhow::Result<()> {
        match self {
            Self::Key(args) => args.run(global),
            Self::Register(args) => args.run(global).await,
            Self::Deploy(args) => args.run(global).await,
        }
    }
}

/// The file that is named, or the one of the node here.
fn file_here(named: Option<PathBuf>, global: &Global) -> anyhow::Result<PathBuf> {
    named.map_or_else(|| Ok(global.own_node_dir()?.join(ANCHOR_KEY_FILE)), Ok)
}

impl KeyArgs {
    fn run(self, global: &Global) -> anyhow::Result<()> {
        let file = file_here(self.file, global)?;
        let key = match file.exists() {
            true => AnchorKey::read(&file)?,
            false => {
                let key = AnchorKey::create(&file)?;
                output::note(&format!("wrote {}", file.display()));
                key
            }
        };
        let address = key.address().to_string();
        if global.json { output::json(&Shown { address, file }) } else { output::line(&address) }
    }
}

impl RegisterArgs {
    async fn run(self, global: &Global) -> anyhow::Result<()> {
        let key = AnchorKey::read(&file_here(self.anchor_key, global)?)?;
        let mut signer = self.terms.signer(global).await?;
        let possession = ProofOfPossession::prove(&key, &signer.id(), &signer.mesh()?);
        let call = Call::RegisterAnchorKey(RegisterAnchorKey { address: key.address(), possession });
        signer.send(call, global).await.map(drop)
    }
}

impl DeployArgs {
    async fn run(self, global: &Global) -> anyhow::Result<()> {
        let secret = AnchorKey::read(&self.account)?.secret();
        let account = Account::from_secret(&secret).context("the account's key is none")?;
        let (mesh, height, set) = match &self.spec {
            Some(spec) => of_genesis(spec).await?,
            None => self.of_last_checkpoint(global).await?,
        };
        let members = set.members().len();
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
            "deployed with {} gas; put this under [network] in the mesh spec of every node, and start them again:",
            deployed.gas
        ));
        let AnchorPlace { chain, contract, since } = place;
        output::line(&format!("anchor = {{ chain = {chain}, contract = \"{contract}\", since = {since} }}"))
    }

    /// Who signs the next checkpoint, proven.
    async fn of_last_checkpoint(&self, global: &Global) -> anyhow::Result<(MeshId, BlockHeight, AnchorSet)> {
        let mut light = self.trust.open(global).await?;
        let height = light.checkpoint(None).await?.height();
        match light.record(Key::AnchorSets, height).await? {
            Some(Record::AnchorSets { successors, .. }) => Ok((light.mesh(), height, successors)),
            _ => bail!(
                "at block {height}, validators with an anchor key have no two thirds of the voting power\n\
                 have them register one: nervure anchor register"
            ),
        }
    }
}

async fn of_genesis(spec: &str) -> anyhow::Result<(MeshId, BlockHeight, AnchorSet)> {
    let spec = mesh::read(spec).await?;
    let state = LedgerState::genesis(&spec)?;
    match state.anchors().successors() {
        Some(set) => Ok((spec.mesh_id(), BlockHeight(0), set.clone())),
        None => bail!(
            "the mesh spec has no anchor keys of validators with more than two thirds of the stake\n\
             have each say its address (nervure anchor key), or leave the spec out where the mesh runs"
        ),
    }
}
