//! Node keys on the ledger: registering one under an owner account, and replacing one.

use std::path::PathBuf;

use nervure_ledger::transaction::{Call, DeregisterNode, RegisterNode, SwapKey, consent};
use nervure_primitives::{NodeId, key_file};

use super::{Global, KEY_FILE, consent::ConsentFile, passphrase};
use crate::cli::sign::SpendArgs;

/// Registers a node key under your owner account: needed before the node can have stake or a slot
#[derive(Debug, clap::Args)]
pub(crate) struct RegisterArgs {
    /// The node key's file [default: key.pem in the node's directory]
    file: Option<PathBuf>,
    /// The node's consent instead of its key, from its machine (nervure key consent)
    #[arg(long, value_name = "FILE", conflicts_with = "file")]
    consent: Option<PathBuf>,
    #[command(flatten)]
    terms: SpendArgs,
}

/// Replaces the key of one of your nodes, for instance after it leaked; the old key cannot be used for a long time
#[derive(Debug, clap::Args)]
pub(crate) struct SwapArgs {
    /// Current id of the node
    old: NodeId,
    /// File of the new key (create it with nervure key new --out FILE)
    new: PathBuf,
    #[command(flatten)]
    terms: SpendArgs,
}

/// Removes one of your nodes from the ledger and gives its deposits back; it must have no stake, no slot and no office
#[derive(Debug, clap::Args)]
pub(crate) struct DeregisterArgs {
    /// Id of the node
    node: NodeId,
    #[command(flatten)]
    terms: SpendArgs,
}

impl DeregisterArgs {
    pub(super) async fn run(self, global: &Global) -> anyhow::Result<()> {
        self.terms.send(Call::DeregisterNode(DeregisterNode { node: self.node }), global).await.map(drop)
    }
}

impl RegisterArgs {
    pub(super) async fn run(self, global: &Global) -> anyhow::Result<()> {
        if let Some(path) = &self.consent {
            let mut signer = self.terms.signer(global).await?;
            let consent = ConsentFile::read(path, signer.id(), signer.mesh()?)?;
            return signer.send(Call::RegisterNode(RegisterNode { consent }), global).await.map(drop);
        }
        let file = self.file.map_or_else(|| global.own_node_dir().map(|dir| dir.join(KEY_FILE)), Ok)?;
        let node = key_file::read(&file, passphrase()?.as_ref())?;
        let mut signer = self.terms.signer(global).await?;
        let consent = consent(&node, &signer.id(), &signer.mesh()?)?;
        signer.send(Call::RegisterNode(RegisterNode { consent }), global).await.map(drop)
    }
}

impl SwapArgs {
    pub(super) async fn run(self, global: &Global) -> anyhow::Result<()> {
        let new = key_file::read(&self.new, passphrase()?.as_ref())?;
        let mut signer = self.terms.signer(global).await?;
        let consent = consent(&new, &signer.id(), &signer.mesh()?)?;
        signer.send(Call::SwapKey(SwapKey { old: self.old, consent }), global).await.map(drop)
    }
}
