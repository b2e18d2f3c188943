//! Signing a transaction, as an owner or as a node, and seeing it through.
//!
//! Owner keys pay fees; node keys pay nothing and can move nothing. Either way the command first says what the
//! transaction will do and cost, then waits until it is final.

use std::path::PathBuf;

use anyhow::{Context, bail};
use nervure_api::{AccountView, Client, NodeView, TransactionView};
use nervure_ledger::transaction::{Call, Transaction};
use nervure_primitives::{Amount, BlockHeight, MeshId, NodeId, NodeKey, key_file};
use nervure_testnet::{Layout, OWNER_KEY};

use super::{Global, key, wallet::finality::Spending};
use crate::local::LocalNode;

/// Blocks in which a transaction can be carried out.
const HOLDS_FOR: u64 = 100;

/// Which key.
#[derive(Debug, clap::Args)]
pub(crate) struct KeyArgs {
    /// The owner key's file [default: owner.pem of a testnet, key.pem of a node]
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
}

/// How an owner signs.
#[derive(Debug, clap::Args)]
pub(crate) struct SpendArgs {
    #[command(flatten)]
    key: KeyArgs,
    /// What to pay for it, in tokens [default: the least fee of the mesh]
    #[arg(long, value_name = "AMOUNT")]
    fee: Option<Amount>,
    /// Only say what it would do and cost
    #[arg(long)]
    dry_run: bool,
}

/// How a node signs.
#[derive(Debug, clap::Args)]
pub(crate) struct NodeSignArgs {
    /// The node key's file [default: key.pem of the node here]
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// Only say what it would do
    #[arg(long)]
    dry_run: bool,
}

/// Somebody who can sign, and the node that takes what is signed.
pub(crate) struct Signer {
    node: LocalNode,
    key: NodeKey,
    nonce: u64,
    fee: Amount,
    height: BlockHeight,
    dry_run: bool,
}

impl KeyArgs {
    /// Reads the key.
    pub(crate) fn read(&self, global: &Global) -> anyhow::Result<NodeKey> {
        let path = match &self.key {
            Some(path) => path.clone(),
            None => {
                let dir = global.node_dir()?;
                let owner = dir.join(OWNER_KEY);
                if owner.exists() { owner } else { dir.join(key::KEY_FILE) }
            }
        };
        Ok(key_file::read(&path, key::passphrase().as_ref())?)
    }
}

impl SpendArgs {
    /// The owner, with the nonce that is due.
    pub(crate) async fn signer(&self, global: &Global) -> anyhow::Result<Signer> {
        let node = LocalNode::find(&global.node_dir()?)?;
        let key = self.key.read(global)?;
        let account: AccountView = node.client().account(&key.node_id()).await?;
        let AccountView { nonce, height, min_fee, .. } = account;
        Ok(Signer { node, key, nonce, fee: self.fee.unwrap_or(min_fee), height, dry_run: self.dry_run })
    }

    /// Signs `call` and sees it through.
    pub(crate) async fn send(&self, call: Call, global: &Global) -> anyhow::Result<TransactionView> {
        self.signer(global).await?.send(call, global).await
    }
}

impl NodeSignArgs {
    /// The node, with the nonce that is due.
    pub(crate) async fn signer(&self, global: &Global) -> anyhow::Result<Signer> {
        let node = LocalNode::find(&global.node_dir()?)?;
        let path = self.key.clone().map_or_else(|| node_key_here(global), Ok)?;
        let key = key_file::read(&path, key::passphrase().as_ref())?;
        let view: NodeView = node.client().node(&key.node_id()).await?;
        let NodeView { nonce, height, .. } = view;
        Ok(Signer { node, key, nonce, fee: Amount::ZERO, height, dry_run: self.dry_run })
    }

    /// Signs `call` and sees it through.
    pub(crate) async fn send(&self, call: Call, global: &Global) -> anyhow::Result<TransactionView> {
        self.signer(global).await?.send(call, global).await
    }
}

/// The key of the node that commands work on; a testnet has many.
fn node_key_here(global: &Global) -> anyhow::Result<PathBuf> {
    let dir = global.node_dir()?;
    let path = dir.join(key::KEY_FILE);
    if !path.exists() && Layout::new(&dir).nodes().is_dir() {
        let example = Layout::new(&dir).node("validator-1").key();
        bail!("which node of the testnet signs?\nname its key: --key {}", example.display());
    }
    Ok(path)
}

impl Signer {
    /// Whoever signs.
    pub(crate) fn id(&self) -> NodeId {
        self.key.node_id()
    }

    /// The mesh that signatures are for.
    pub(crate) fn mesh(&self) -> anyhow::Result<MeshId> {
        self.node.mesh().context("which mesh the node is in is not known")
    }

    /// The node that is asked.
    pub(crate) fn node(&self) -> &Client {
        self.node.client()
    }

    /// Whether nothing is to be handed in.
    pub(crate) fn is_dry_run(&self) -> bool {
        self.dry_run
    }

    /// Signs `call` and sees it through.
    pub(crate) async fn send(&mut self, call: Call, global: &Global) -> anyhow::Result<TransactionView> {
        let mesh = self.mesh()?;
        let expiry = BlockHeight(self.height.0.saturating_add(HOLDS_FOR));
        let transaction = Transaction { nonce: self.nonce, fee: self.fee, expiry, call };
        let envelope = transaction.seal(&self.key, &mesh)?;
        let spending = Spending { node: self.node.client(), envelope, fee: self.fee };
        let done = spending.run(self.dry_run, global).await?;
        self.nonce = self.nonce.saturating_add(1);
        self.height = done.height.unwrap_or(self.height);
        Ok(done)
    }
}
