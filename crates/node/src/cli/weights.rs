//! `nervure weights`: what a validator says about the nodes of a subnet.
//!
//! Committed weights are kept in a file until they are revealed: whoever loses it cannot reveal them.

mod promise;

use std::{path::PathBuf, str::FromStr, time::Duration};

use nervure_api::{Client, SubnetDetail};
use nervure_consensus::yuma::Cell;
use nervure_ledger::transaction::{Call, CommitWeights, Outcome, RevealWeights, SetWeights, commitment};
use nervure_primitives::{Hash, Netuid, Uid};

use super::{Global, output, sign::NodeSignArgs};
use crate::local::LocalNode;
use promise::Promise;

/// Between two looks at the epoch.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Sets weights, as a validator
#[derive(Debug, clap::Subcommand)]
pub(crate) enum WeightsCommand {
    /// Sets weights for everybody to see, where the subnet's owner turned commit-reveal off
    Set {
        #[command(flatten)]
        given: Given,
        #[command(flatten)]
        terms: NodeSignArgs,
    },
    /// Commits to weights without showing them; they have to be revealed in the next epoch
    Commit {
        #[command(flatten)]
        given: Given,
        /// Where to keep them until then [default: weights-N-HASH.json in the directory]
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        #[command(flatten)]
        terms: NodeSignArgs,
    },
    /// Reveals committed weights, from when on they count
    Reveal {
        /// The file that the commit left
        file: PathBuf,
        /// Wait until their epoch begins
        #[arg(long)]
        wait: bool,
        #[command(flatten)]
        terms: NodeSignArgs,
    },
}

/// Weights.
#[derive(Debug, clap::Args)]
pub(crate) struct Given {
    /// The subnet
    netuid: Netuid,
    /// Uids and their weights, in any scale (0 to 65535)
    #[arg(value_name = "UID=WEIGHT", required = true, value_parser = pair::<Uid>)]
    weights: Vec<Cell>,
    /// The version of the validator, where the subnet asks for one
    #[arg(long, value_name = "N", default_value_t = 0)]
    version_key: u64,
}

/// `KEY=WEIGHT`.
pub(super) fn pair<K: FromStr>(text: &str) -> Result<(K, u16), String> {
    let wrong = || format!("'{text}' is not of the form NUMBER=WEIGHT, with a weight from 0 to 65535");
    let (key, weight) = text.split_once('=').ok_or_else(wrong)?;
    Ok((key.parse().map_err(|_| wrong())?, weight.parse().map_err(|_| wrong())?))
}

impl WeightsCommand {
    /// Runs the command.
    pub(crate) async fn run(self, global: &Global) -> anyhow::Result<()> {
        match self {
            Self::Set { given: Given { netuid, weights, version_key }, terms } => {
                let call = Call::SetWeights(SetWeights { netuid, weights, version_key });
                terms.send(call, global).await.map(drop)
            }
            Self::Commit { given, out, terms } => commit(given, out, &terms, global).await,
            Self::Reveal { file, wait, terms } => {
                let Promise { weights, reveal_in, .. } = Promise::read(&file)?;
                if wait {
                    until(LocalNode::find(&global.node_dir()?)?.client(), weights.netuid, reveal_in).await?;
                }
                terms.send(Call::RevealWeights(weights), global).await.map(drop)
            }
        }
    }
}

async fn commit(
    given: Given,
    out: Option<PathBuf>,
    terms: &NodeSignArgs,
    global: &Global,
) -> anyhow::Result<()> {
    let Given { netuid, weights, version_key } = given;
    let mut signer = terms.signer(global).await?;
    let mesh = signer.mesh()?;
    let weights = RevealWeights { netuid, weights, salt: Hash::from_bytes(rand::random()), version_key };
    let hash = commitment(&mesh, &signer.id(), &weights);
    let detail: SubnetDetail = signer.node().subnet(netuid).await?;
    let reveal_in = detail.subnet.epoch.saturating_add(1);
    let mut promise = Promise { node: signer.id(), reveal_in, weights };
    let call = Call::CommitWeights(CommitWeights { netuid, hash });
    if signer.is_dry_run() {
        return signer.send(call, global).await.map(drop);
    }
    let name = format!("weights-{netuid}-{}.json", hash.to_string().chars().take(12).collect::<String>());
    let file = out.map_or_else(|| global.node_dir().map(|dir| dir.join(name)), Ok)?;
    // Before it is handed in: a commit whose weights are lost cannot be revealed.
    promise.create(&file)?;
    let done = match signer.send(call, global).await {
        Ok(done) => done,
        Err(error) => {
            output::note(&format!(
                "the weights stay in {}, in case they are committed after all",
                file.display()
            ));
            return Err(error);
        }
    };
    if let Some(Outcome::WeightsCommitted { reveal_in, .. }) = done.outcome
        && reveal_in != promise.reveal_in
    {
        promise.reveal_in = reveal_in;
        promise.replace(&file)?;
    }
    output::note(&format!(
        "reveal them in epoch {} of subnet {netuid}: nervure weights reveal {} --wait",
        promise.reveal_in,
        file.display()
    ));
    Ok(())
}

/// Waits until a subnet is in `epoch`.
async fn until(node: &Client, netuid: Netuid, epoch: u64) -> anyhow::Result<()> {
    let mut said = false;
    loop {
        let detail: SubnetDetail = node.subnet(netuid).await?;
        if detail.subnet.epoch >= epoch {
            return Ok(());
        }
        if !said {
            let (now, due) = (detail.subnet.epoch, detail.subnet.due);
            output::note(&format!(
                "subnet {netuid} is in epoch {now} until block {due}; waiting for epoch {epoch}"
            ));
            said = true;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_pairs() {
        assert_eq!(pair::<Uid>("7=65535"), Ok((Uid(7), u16::MAX)));
        for bad in ["7", "7=65536", "x=1", "=", "-1=1", "70000=1"] {
            assert!(pair::<Uid>(bad).is_err(), "{bad}");
        }
    }
}
