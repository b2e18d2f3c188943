//! Signs a transaction with an owner key or a node key, submits it, and waits until it is final.
//!
//! Owner keys pay fees; node keys pay nothing and cannot move tokens. In both cases the command first prints what the
//! transaction will do and cost.

use std::path::PathBuf;

use anyhow::{Context, bail};
use nervure_api::{AccountView, Client, NodeView, TransactionView};
use nervure_ledger::transaction::{Call, Transaction};
use nervure_primitives::{Amount, BlockHeight, MeshId, NodeId, NodeKey, key_file};
use nervure_testnet::{Layout, OWNER_KEY};

use super::{Global, key, wallet::finality::Spending};
use crate::local::LocalNode;

/// Blocks until a transaction expires.
const EXPIRES_AFTER_BLOCKS: u64 = 100;

/// The owner key.
#[derive(Debug, clap::Args)]
pub(crate) struct KeyArgs {
    /// The owner key's file [default: owner.pem of a testnet, key.pem of a node]
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
}

/// The options of a command that an owner key signs.
#[derive(Debug, clap::Args)]
pub(crate) struct SpendArgs {
    #[command(flatten)]
    key: KeyArgs,
    /// Fee of the transaction, in tokens [default: the minimum fee of the mesh]
    #[arg(long, value_name = "AMOUNT")]
    fee: Option<Amount>,
    /// Print what the transaction would do and cost, and do not submit it
    #[arg(long)]
    dry_run: bool,
}

/// The options of a command that a node key signs.
#[derive(Debug, clap::Args)]
pub(crate) struct NodeSignArgs {
    /// The node key's file [default: key.pem in the node's directory]
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// Print what the transaction would do, and do not submit it
    #[arg(long)]
    dry_run: bool,
}

/// A key with its next nonce, and the node that takes the transactions.
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
    /// The owner key, with its next nonce.
    pub(crate) async fn signer(&self, global: &Global) -> anyhow::Result<Signer> {
        let node = LocalNode::find(&global.node_dir()?)?;
        let key = self.key.read(global)?;
        let account: AccountView = node.client().account(&key.node_id()).await?;
        let AccountView { nonce, height, min_fee, .. } = account;
        Ok(Signer { node, key, nonce, fee: self.fee.unwrap_or(min_fee), height, dry_run: self.dry_run })
    }

    /// Signs `call`, submits it, and waits until it is final.
    pub(crate) async fn send(&self, call: Call, global: &Global) -> anyhow::Result<TransactionView> {
        self.signer(global).await?.send(call, global).await
    }
}

impl NodeSignArgs {
    /// The node key, with its next nonce.
    pub(crate) async fn signer(&self, global: &Global) -> anyhow::Result<Signer> {
        let node = LocalNode::find(&global.node_dir()?)?;
        let path = self.key.clone().map_or_else(|| node_key_here(global), Ok)?;
        let key = key_file::read(&path, key::passphrase().as_ref())?;
        let view: NodeView = node.client().node(&key.node_id()).await?;
        let NodeView { nonce, height, .. } = view;
        Ok(Signer { node, key, nonce, fee: Amount::ZERO, height, dry_run: self.dry_run })
    }

    /// Signs `call`, submits it, and waits until it is final.
    pub(crate) async fn send(&self, call: Call, global: &Global) -> anyhow::Result<TransactionView> {
        self.signer(global).await?.send(call, global).await
    }
}

/// The key of the node in the directory; a testnet has several, so one has to be named.
fn node_key_here(global: &Global) -> anyhow::Result<PathBuf> {
    let dir = global.node_dir()?;
    let path = dir.join(key::KEY_FILE);
    if !path.exists() && Layout::new(&dir).nodes().is_dir() {
        let example = Layout::new(&dir).node("validator-1").key();
        bail!("a testnet has several node keys\nname one: --key {}", example.display());
    }
    Ok(path)
}

impl Signer {
    /// The signer's id.
    pub(crate) fn id(&self) -> NodeId {
        self.key.node_id()
    }

    /// The mesh id, which is part of every signature.
    pub(crate) fn mesh(&self) -> anyhow::Result<MeshId> {
        self.node.mesh().context("the node's mesh is not known")
    }

    /// The node that is asked.
    pub(crate) fn node(&self) -> &Client {
        self.node.client()
    }

    /// Whether transactions are not submitted.
    pub(crate) fn is_dry_run(&self) -> bool {
        self.dry_run
    }

    /// Signs `call`, submits it, and waits until it is final.
    pub(crate) async fn send(&mut self, call: Call, global: &Global) -> anyhow::Result<TransactionView> {
        let mesh = self.mesh()?;
        let expiry = BlockHeight(self.height.0.saturating_add(EXPIRES_AFTER_BLOCKS));
        let transaction = Transaction { nonce: self.nonce, fee: self.fee, expiry, call };
        let envelope = transaction.seal(&self.key, &mesh)?;
        let spending = Spending { node: self.node.client(), envelope, fee: self.fee };
        let done = spending.run(self.dry_run, global).await?;
        self.nonce = self.nonce.saturating_add(1);
        self.height = done.height.unwrap_or(self.height);
        Ok(done)
    }
}
