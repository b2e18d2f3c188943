//! `nervure wallet`: shows and spends the tokens of an owner key.

mod batch;
pub(super) mod files;
pub(super) mod finality;
mod multisig;
mod proxy;
mod rotate;
mod show;
pub(super) mod submit;
mod vesting;

use nervure_api::FeesView;
use nervure_ledger::transaction::{Call, Memo, Stake, Transfer, Unstake};
use nervure_primitives::{Amount, NodeId};

use super::{
    Global,
    access::Access,
    sign::{KeyArgs, SpendArgs},
    stake::amount_or_all,
};

/// Shows and spends the tokens of an owner key
#[derive(Debug, clap::Subcommand)]
pub(crate) enum WalletCommand {
    /// Shows what an account has, what is pending, locked, deposited, vesting or unbonding, and who may act for it
    Show(ShowArgs),
    /// Transfers tokens
    Send {
        /// Recipient's owner id
        to: NodeId,
        /// Amount in tokens, or `all`, which closes the account
        #[arg(value_parser = amount_or_all)]
        amount: Amount,
        /// A note for the recipient of at most 64 bytes, such as an invoice number; everyone can read it
        #[arg(long, value_name = "TEXT", value_parser = memo)]
        memo: Option<Memo>,
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
    Submit(submit::SubmitArgs),
    Rotate(rotate::RotateArgs),
    Vest(vesting::VestArgs),
    Claim(vesting::ClaimArgs),
    #[command(subcommand)]
    Multisig(multisig::MultisigCommand),
    #[command(subcommand)]
    Proxy(proxy::ProxyCommand),
    #[command(subcommand)]
    Batch(batch::BatchCommand),
}

/// Whose account is shown.
#[derive(Debug, clap::Args)]
pub(crate) struct ShowArgs {
    /// Owner id of the account, such as a threshold account's [default: that of the key]
    owner: Option<NodeId>,
    #[command(flatten)]
    key: KeyArgs,
    #[command(flatten)]
    access: Access,
}

impl WalletCommand {
    /// Runs the command.
    pub(crate) async fn run(self, global: &Global) -> anyhow::Result<()> {
        let (call, terms) = match self {
            Self::Submit(args) => return args.run(global).await,
            Self::Rotate(args) => return args.run(global).await,
            Self::Show(args) => return show_of(&args, global).await,
            Self::Vest(args) => return args.run(global).await,
            Self::Claim(args) => return args.run(global).await,
            Self::Multisig(command) => return command.run(global).await,
            Self::Proxy(command) => return command.run(global).await,
            Self::Batch(command) => return command.run(global).await,
            Self::Send { to, amount, memo, terms } => (Call::Transfer(Transfer { to, amount, memo }), terms),
            Self::Stake { node, amount, terms } => (Call::Stake(Stake { node, amount }), terms),
            Self::Unstake { node, amount, terms } => (Call::Unstake(Unstake { node, amount }), terms),
        };
        terms.send(call, global).await.map(drop)
    }
}

/// Reads a memo. A longer one is refused, not cut: an exchange could not assign it.
fn memo(text: &str) -> Result<Memo, String> {
    if text.is_empty() {
        return Err("a memo has at least one character".into());
    }
    Memo::whole(text).map_err(|error| error.to_string())
}

/// What transactions cost now, as text.
pub(super) fn fees_text(fees: FeesView) -> String {
    let tip = match fees.tip {
        0 => String::new(),
        tip => format!(", blocks are full: and a tip of {tip}"),
    };
    format!("{} base units for a weight of 1000{tip}", fees.base_fee)
}

async fn show_of(args: &ShowArgs, global: &Global) -> anyhow::Result<()> {
    let owner = args.owner.map_or_else(|| args.key.read(global).map(|key| key.node_id()), Ok)?;
    let session = args.access.open(global).await?;
    show::account(&session.node.client().account(&owner).await?, global)
}
