//! Node keys on the ledger: making one one's own, and giving a node another.

use std::path::PathBuf;

use nervure_ledger::transaction::{Call, RegisterNode, SwapKey, consent};
use nervure_primitives::{NodeId, key_file};

use super::{Global, KEY_FILE, passphrase};
use crate::cli::sign::SpendArgs;

/// Makes a node key the signer's on the ledger: needed before the node can have stake or a slot
#[derive(Debug, clap::Args)]
pub(crate) struct RegisterArgs {
    /// The node key's file [default: key.pem in the node's directory]
    file: Option<PathBuf>,
    #[command(flatten)]
    terms: SpendArgs,
}

/// Gives a node of the signer another key, for instance after the old one leaked; the old one never comes back
#[derive(Debug, clap::Args)]
pub(crate) struct SwapArgs {
    /// The node, by the key that it has
    old: NodeId,
    /// The new key's file: nervure key new --out FILE
    new: PathBuf,
    #[command(flatten)]
    terms: SpendArgs,
}

impl RegisterArgs {
    pub(super) async fn run(self, global: &Global) -> anyhow::Result<()> {
        let file = self.file.map_or_else(|| global.own_node_dir().map(|dir| dir.join(KEY_FILE)), Ok)?;
        let node = key_file::read(&file, passphrase().as_ref())?;
        let mut signer = self.terms.signer(global).await?;
        let consent = consent(&node, &signer.id(), &signer.mesh()?)?;
        signer.send(Call::RegisterNode(RegisterNode { consent }), global).await.map(drop)
    }
}

impl SwapArgs {
    pub(super) async fn run(self, global: &Global) -> anyhow::Result<()> {
        let new = key_file::read(&self.new, passphrase().as_ref())?;
        let mut signer = self.terms.signer(global).await?;
        let consent = consent(&new, &signer.id(), &signer.mesh()?)?;
        signer.send(Call::SwapKey(SwapKey { old: self.old, consent }), global).await.map(drop)
    }
}
