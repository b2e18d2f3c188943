//! `nervure wallet proxy`: keys that may act for an owner, within limits.

use nervure_ledger::{
    proxies::{ProxyGrant, ProxyScope, SpendingLimit},
    transaction::{Call, CancelAnnouncement, RemoveProxy, SetProxy},
};
use nervure_primitives::{Amount, BlockHeight, Hash, NodeId};

use crate::cli::{Global, sign::SpendArgs};

/// Lets other keys act for your account, within limits; they use --proxy-of OWNER
#[derive(Debug, clap::Subcommand)]
pub(crate) enum ProxyCommand {
    /// Adds a proxy, or changes what it may do; what it announced before is cancelled
    Set {
        /// Owner id of the proxy
        proxy: NodeId,
        /// What it may do: transfers, staking, nodes, subnets, voting; several with commas
        #[arg(long, value_name = "SCOPES", value_delimiter = ',', required = true, value_parser = scope)]
        allow: Vec<ProxyScope>,
        /// The most that may leave your balance in an interval, in tokens, or `all`
        #[arg(long, value_name = "AMOUNT", value_parser = limit)]
        limit: LimitArg,
        /// The interval of the limit, in blocks
        #[arg(long, value_name = "BLOCKS", default_value_t = 7_200)]
        per: u64,
        /// Blocks between the announcement of a call and its execution, in which you can cancel it
        #[arg(long, value_name = "BLOCKS", default_value_t = 0)]
        delay: u64,
        /// The last block at which it may act
        #[arg(long, value_name = "BLOCK")]
        until: u64,
        #[command(flatten)]
        terms: SpendArgs,
    },
    /// Removes a proxy, and cancels what it announced
    Remove {
        /// Owner id of the proxy
        proxy: NodeId,
        #[command(flatten)]
        terms: SpendArgs,
    },
    /// Cancels a call that a proxy announced; `nervure wallet show` lists them
    Cancel {
        /// Id of the announcement
        id: Hash,
        /// The owner for whom it was announced, if the proxy itself cancels it [default: your account]
        #[arg(long)]
        owner: Option<NodeId>,
        #[command(flatten)]
        terms: SpendArgs,
    },
}

/// A limit of a proxy; none for all of the balance.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LimitArg(Option<Amount>);

impl ProxyCommand {
    /// Runs the command.
    pub(super) async fn run(self, global: &Global) -> anyhow::Result<()> {
        let (call, terms) = match self {
            Self::Set { proxy, allow, limit: LimitArg(limit), per, delay, until, terms } => {
                let limit = limit.map(|amount| SpendingLimit { amount, interval: per });
                let (scopes, expiry) = (allow.into_iter().collect(), BlockHeight(until));
                let grant = ProxyGrant { scopes, limit, delay, expiry };
                (Call::SetProxy(SetProxy { proxy, grant }), terms)
            }
            Self::Remove { proxy, terms } => (Call::RemoveProxy(RemoveProxy { proxy }), terms),
            Self::Cancel { id, owner, terms } => {
                let mut signer = terms.signer(global).await?;
                let owner = owner.unwrap_or(signer.id());
                let call = Call::CancelAnnouncement(CancelAnnouncement { owner, id });
                return signer.send(call, global).await.map(drop);
            }
        };
        terms.send(call, global).await.map(drop)
    }
}

fn scope(text: &str) -> Result<ProxyScope, String> {
    ProxyScope::ALL.into_iter().find(|scope| scope.to_string() == text).ok_or_else(|| {
        format!("'{text}' is none of {}", ProxyScope::ALL.map(|scope| scope.to_string()).join(", "))
    })
}

fn limit(text: &str) -> Result<LimitArg, String> {
    match text {
        "all" => Ok(LimitArg(None)),
        amount => amount
            .parse()
            .map(|amount| LimitArg(Some(amount)))
            .map_err(|error| format!("{error}; or `all` for all of the balance")),
    }
}
