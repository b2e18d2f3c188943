//! `nervure wallet`: shows and spends the tokens of an owner key.

pub(super) mod finality;

use nervure_api::{AccountView, FeesView};
use nervure_ledger::transaction::{Call, Stake, Transfer, Unstake};
use nervure_primitives::{Amount, NodeId};

use super::{
    Global, output,
    sign::{KeyArgs, SpendArgs},
    stake::amount_or_all,
};
use crate::local::LocalNode;

/// Shows and spends the tokens of an owner key
#[derive(Debug, clap::Subcommand)]
pub(crate) enum WalletCommand {
    /// Shows the balance, the stakes, and the stake that is unbonding
    Show(KeyArgs),
    /// Transfers tokens
    Send {
        /// Recipient's owner id
        to: NodeId,
        /// Amount, in tokens
        amount: Amount,
        #[command(flatten)]
        terms: SpendArgs,
    },
    /// Stakes tokens on a node; the same as `nervure stake add`
    Stake {
        /// Id of the node
        node: NodeId,
        /// Amount, in tokens
        amount: Amount,
        #[command(flatten)]
        terms: SpendArgs,
    },
    /// Removes stake from a node; the same as `nervure stake remove`
    Unstake {
        /// Id of the node
        node: NodeId,
        /// Amount in tokens, or `all`
        #[arg(value_parser = amount_or_all)]
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

/// What transactions cost now, as text.
pub(super) fn fees_text(fees: FeesView) -> String {
    let tip = match fees.tip {
        0 => String::new(),
        tip => format!(", blocks are full: and a tip of {tip}"),
    };
    format!("{} base units for a weight of 1000{tip}", fees.base_fee)
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
    output::line(&format!("fees     {}", fees_text(account.fees)))?;
    for (node, stake) in &account.stakes {
        output::line(&format!("stake    {stake} tokens on {node}"))?;
    }
    for (block, amount) in &account.unbonding {
        output::line(&format!("unbonds  {amount} tokens at block {block}"))?;
    }
    Ok(())
}
