//! `nervure wallet`: what an owner key holds, and spending it.

mod finality;
mod outcome;

use std::path::PathBuf;

use anyhow::Context;
use nervure_ledger::transaction::{Call, Stake, Transaction, Transfer, Unstake};
use nervure_primitives::{Amount, BlockHeight, NodeId, NodeKey, key_file};
use nervure_testnet::OWNER_KEY;

use super::{Global, key, output};
use crate::{local::LocalNode, service::AccountView};
use finality::Spending;

/// Blocks in which a transaction can be carried out.
const HOLDS_FOR: u64 = 100;

/// Shows and spends what an owner key holds
#[derive(Debug, clap::Subcommand)]
pub(crate) enum WalletCommand {
    /// Shows balance, stakes, and what comes back from stakes
    Show(KeyArgs),
    /// Pays somebody
    Send {
        /// Whom
        to: NodeId,
        /// How much, in tokens
        amount: Amount,
        #[command(flatten)]
        terms: SpendArgs,
    },
    /// Stakes to a node: its dividends are shared with whoever staked to it
    Stake {
        /// The node
        node: NodeId,
        /// How much, in tokens
        amount: Amount,
        #[command(flatten)]
        terms: SpendArgs,
    },
    /// Takes stake back; it can be spent after the unbonding time
    Unstake {
        /// The node
        node: NodeId,
        /// How much, in tokens
        amount: Amount,
        #[command(flatten)]
        terms: SpendArgs,
    },
}

/// Which key.
#[derive(Debug, clap::Args)]
pub(crate) struct KeyArgs {
    /// The owner key's file [default: owner.pem of a testnet, key.pem of a node]
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
}

/// How to spend.
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

impl WalletCommand {
    /// Runs the command.
    pub(crate) async fn run(self, global: &Global) -> anyhow::Result<()> {
        let node = LocalNode::find(&global.node_dir()?)?;
        let (call, terms) = match self {
            Self::Show(args) => {
                let key = args.read(global)?;
                return show(&account(&node, key.node_id()).await?, global);
            }
            Self::Send { to, amount, terms } => (Call::Transfer(Transfer { to, amount }), terms),
            Self::Stake { node, amount, terms } => (Call::Stake(Stake { node, amount }), terms),
            Self::Unstake { node, amount, terms } => (Call::Unstake(Unstake { node, amount }), terms),
        };
        let key = terms.key.read(global)?;
        let account = account(&node, key.node_id()).await?;
        let fee = terms.fee.unwrap_or(account.min_fee);
        let expiry = BlockHeight(account.height.0.saturating_add(HOLDS_FOR));
        let transaction = Transaction { nonce: account.nonce, fee, expiry, call };
        let envelope =
            transaction.seal(&key, &node.mesh().context("which mesh the node is in is not known")?)?;
        let spending = Spending { node, envelope, fee };
        spending.run(terms.dry_run, global).await
    }
}

async fn account(node: &LocalNode, owner: NodeId) -> anyhow::Result<AccountView> {
    Ok(node.get(&format!("/accounts/{owner}"), &[]).await?)
}

impl KeyArgs {
    fn read(&self, global: &Global) -> anyhow::Result<NodeKey> {
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

fn show(account: &AccountView, global: &Global) -> anyhow::Result<()> {
    if global.json {
        return output::json(account);
    }
    output::line(&format!("owner    {}", account.owner))?;
    output::line(&format!("balance  {} tokens (after block {})", account.balance, account.height))?;
    for (node, stake) in &account.stakes {
        output::line(&format!("stake    {stake} tokens on {node}"))?;
    }
    for (block, amount) in &account.unbonding {
        output::line(&format!("unbonds  {amount} tokens at block {block}"))?;
    }
    Ok(())
}
