//! `nervure wallet`: what an owner key holds, and spending it.

pub(super) mod finality;
mod outcome;

use nervure_api::AccountView;
use nervure_ledger::transaction::{Call, Stake, Transfer, Unstake};
use nervure_primitives::{Amount, NodeId};

use super::{
    Global, output,
    sign::{KeyArgs, SpendArgs},
};
use crate::local::LocalNode;

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
    /// Stakes to a node, as `nervure stake add` does
    Stake {
        /// The node
        node: NodeId,
        /// How much, in tokens
        amount: Amount,
        #[command(flatten)]
        terms: SpendArgs,
    },
    /// Takes stake back, as `nervure stake remove` does
    Unstake {
        /// The node
        node: NodeId,
        /// How much, in tokens
        amount: Amount,
        #[command(flatten)]
        terms: SpendArgs,
    },
}

impl WalletCommand {
    /// Runs the command.
    pub(crate) async fn run(self, global: &Global) -> anyhow::Result<()> {
        let (call, terms) = match self {
            Self::Show(args) => return show_of(&args, global).await,
            Self::Send { to, amount, terms } => (Call::Transfer(Transfer { to, amount }), terms),
            Self::Stake { node, amount, terms } => (Call::Stake(Stake { node, amount }), terms),
            Self::Unstake { node, amount, terms } => (Call::Unstake(Unstake { node, amount }), terms),
        };
        terms.send(call, global).await.map(drop)
    }
}

async fn show_of(args: &KeyArgs, global: &Global) -> anyhow::Result<()> {
    let owner = args.read(global)?.node_id();
    let node = LocalNode::find(&global.node_dir()?)?;
    show(&node.client().account(&owner).await?, global)
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
