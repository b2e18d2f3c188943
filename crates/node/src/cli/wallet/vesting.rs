//! `nervure wallet vest` and `nervure wallet claim`: amounts that become free little by little.

use anyhow::bail;
use nervure_ledger::transaction::{Batch, Call, ClaimVested, MAX_BATCH_CALLS, TransferVested};
use nervure_primitives::{Amount, BlockHeight, NodeId};

use crate::cli::{Global, sign::SpendArgs};

/// Pays an amount that becomes free evenly over blocks; it cannot be taken back
#[derive(Debug, clap::Args)]
pub(crate) struct VestArgs {
    /// Recipient's owner id
    to: NodeId,
    /// Amount, in tokens
    amount: Amount,
    /// Blocks from the start until all of it is free
    #[arg(long, value_name = "BLOCKS")]
    over: u64,
    /// Blocks from the start before which nothing is free
    #[arg(long, value_name = "BLOCKS", default_value_t = 0)]
    cliff: u64,
    /// The block from which it grows [default: the current one]
    #[arg(long, value_name = "BLOCK")]
    start: Option<u64>,
    #[command(flatten)]
    terms: SpendArgs,
}

/// Moves what has vested to your balance
#[derive(Debug, clap::Args)]
pub(crate) struct ClaimArgs {
    /// Who gave it [default: claim from all]
    from: Option<NodeId>,
    #[command(flatten)]
    terms: SpendArgs,
}

impl VestArgs {
    /// Runs the command.
    pub(super) async fn run(self, global: &Global) -> anyhow::Result<()> {
        let Self { to, amount, over, cliff, start, terms } = self;
        let mut signer = terms.signer(global).await?;
        let start = match start {
            Some(start) => start,
            None => signer.node().account(&signer.id()).await?.height.0,
        };
        let [start, cliff, end] = [0, cliff, over].map(|after| BlockHeight(start.saturating_add(after)));
        let call = Call::TransferVested(TransferVested { to, amount, start, cliff, end });
        signer.send(call, global).await.map(drop)
    }
}

impl ClaimArgs {
    /// Runs the command.
    pub(super) async fn run(self, global: &Global) -> anyhow::Result<()> {
        let mut signer = self.terms.signer(global).await?;
        if let Some(from) = self.from {
            return signer.send(Call::ClaimVested(ClaimVested { from }), global).await.map(drop);
        }
        let account = signer.node().account(&signer.id()).await?;
        let claimable = account.vesting.iter().filter(|one| !one.free.is_zero());
        let mut senders: Vec<NodeId> = claimable.map(|one| one.from).collect();
        senders.dedup();
        senders.truncate(MAX_BATCH_CALLS);
        let calls: Vec<Call> =
            senders.into_iter().map(|from| Call::ClaimVested(ClaimVested { from })).collect();
        match <[Call; 1]>::try_from(calls) {
            Ok([call]) => signer.send(call, global).await.map(drop),
            Err(calls) if calls.is_empty() => {
                bail!("nothing has vested since the last claim\nsee what vests when: nervure wallet show")
            }
            Err(calls) => signer.send(Call::Batch(Batch { calls }), global).await.map(drop),
        }
    }
}
