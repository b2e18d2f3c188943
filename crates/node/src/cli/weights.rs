//! `nervure weights`: a validator's weights for the nodes of a subnet.
//!
//! Committed weights are kept in a file until they are revealed; without the file they cannot be revealed.

mod weight_commit;

use std::{collections::BTreeSet, path::PathBuf, str::FromStr, time::Duration};

use nervure_api::{Client, SubnetDetail};
use nervure_consensus::yuma::Cell;
use nervure_ledger::transaction::{
    Call, CommitWeights, CommitWeightsOutcome, Outcome, RevealWeights, SetWeights, commitment,
};
use nervure_primitives::{Hash, Netuid, Uid};

use super::{Global, output, sign::NodeSignArgs};
use crate::local::LocalNode;
use weight_commit::WeightCommit;

/// How often the subnet's epoch is read.
const POLL_INTERVAL: Duration = Duration::from_millis(500);

/// Sets, commits and reveals weights as a validator
#[derive(Debug, clap::Subcommand)]
pub(crate) enum WeightsCommand {
    /// Sets weights in public, in a subnet without commit-reveal
    Set {
        #[command(flatten)]
        args: WeightArgs,
        #[command(flatten)]
        terms: NodeSignArgs,
    },
    /// Commits weights without revealing them; they have to be revealed in the next epoch
    Commit {
        #[command(flatten)]
        args: WeightArgs,
        /// File to keep them in until then [default: weights-N-HASH.json in the directory]
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        #[command(flatten)]
        terms: NodeSignArgs,
    },
    /// Reveals committed weights, which count from then on
    Reveal {
        /// The file that `weights commit` wrote
        file: PathBuf,
        /// Wait until the epoch in which they can be revealed
        #[arg(long)]
        wait: bool,
        #[command(flatten)]
        terms: NodeSignArgs,
    },
}

/// A subnet and its weights.
#[derive(Debug, clap::Args)]
pub(crate) struct WeightArgs {
    /// Number of the subnet
    netuid: Netuid,
    /// Uids and their weights, in any scale (0 to 65535)
    #[arg(value_name = "UID=WEIGHT", required = true, value_parser = pair::<Uid>)]
    weights: Vec<Cell>,
    /// Version of the validator, if the subnet requires one
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
            Self::Set { args: WeightArgs { netuid, weights, version_key }, terms } => {
                let call = Call::SetWeights(SetWeights { netuid, weights, version_key });
                terms.send(call, global).await.map(drop)
            }
            Self::Commit { args, out, terms } => commit(args, out, &terms, global).await,
            Self::Reveal { file, wait, terms } => {
                let WeightCommit { weights, reveal_in, .. } = WeightCommit::read(&file)?;
                if wait {
                    wait_for_epoch(LocalNode::find(&global.node_dir()?)?.client(), weights.netuid, reveal_in)
                        .await?;
                }
                terms.send(Call::RevealWeights(weights), global).await.map(drop)
            }
        }
    }
}

async fn commit(
    args: WeightArgs,
    out: Option<PathBuf>,
    terms: &NodeSignArgs,
    global: &Global,
) -> anyhow::Result<()> {
    let WeightArgs { netuid, weights, version_key } = args;
    let mut signer = terms.signer(global).await?;
    let mesh = signer.mesh()?;
    let weights = RevealWeights { netuid, weights, salt: Hash::from_bytes(rand::random()), version_key };
    let hash = commitment(&mesh, &signer.id(), &weights);
    let detail: SubnetDetail = signer.node().subnet(netuid).await?;
    check_revealable(&weights.weights, &detail)?;
    let reveal_in = detail.subnet.epoch.saturating_add(1);
    let mut committed = WeightCommit { node: signer.id(), reveal_in, weights };
    let call = Call::CommitWeights(CommitWeights { netuid, hash });
    if signer.is_dry_run() {
        return signer.send(call, global).await.map(drop);
    }
    let name = format!("weights-{netuid}-{}.json", hash.to_string().chars().take(12).collect::<String>());
    let file = out.map_or_else(|| global.node_dir().map(|dir| dir.join(name)), Ok)?;
    // Written before the commit is submitted: without the file, the weights cannot be revealed.
    committed.create(&file)?;
    let done = match signer.send(call, global).await {
        Ok(done) => done,
        Err(error) => {
            output::note(&format!(
                "the weights are kept in {}, in case the commit is applied later",
                file.display()
            ));
            return Err(error);
        }
    };
    if let Some(Outcome::WeightsCommitted(CommitWeightsOutcome { reveal_in, .. })) = done.outcome
        && reveal_in != committed.reveal_in
    {
        committed.reveal_in = reveal_in;
        committed.replace(&file)?;
    }
    output::note(&format!(
        "reveal them in epoch {} of subnet {netuid}: nervure weights reveal {} --wait",
        committed.reveal_in,
        file.display()
    ));
    Ok(())
}

/// Refuses weights that could not be revealed. The ledger sees their hash only, and would refuse them when it is too late
/// to mend them.
fn check_revealable(
    weights: &[Cell],
    SubnetDetail { subnet, neurons, .. }: &SubnetDetail,
) -> anyhow::Result<()> {
    let netuid = subnet.netuid;
    let mut seen = BTreeSet::new();
    for (uid, _) in weights {
        anyhow::ensure!(seen.insert(*uid), "uid {uid} has two weights\nname each uid once");
        anyhow::ensure!(
            neurons.iter().any(|neuron| neuron.uid == *uid),
            "subnet {netuid} has no uid {uid}\nsee its neurons: nervure subnet show {netuid}"
        );
    }
    let least = subnet.hyperparameters.min_weights;
    anyhow::ensure!(
        weights.len() >= usize::from(least),
        "subnet {netuid} requires at least {least} weights, and these are {}\nname more uids; a weight may be 0",
        weights.len()
    );
    Ok(())
}

/// Waits until a subnet is in `epoch`.
async fn wait_for_epoch(node: &Client, netuid: Netuid, epoch: u64) -> anyhow::Result<()> {
    let mut noted = false;
    loop {
        let detail: SubnetDetail = node.subnet(netuid).await?;
        if detail.subnet.epoch >= epoch {
            return Ok(());
        }
        if !noted {
            let (now, due) = (detail.subnet.epoch, detail.subnet.due);
            output::note(&format!(
                "subnet {netuid} is in epoch {now} until block {due}; waiting for epoch {epoch}"
            ));
            noted = true;
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_weights_as_pairs() {
        assert_eq!(pair::<Uid>("7=65535"), Ok((Uid(7), u16::MAX)));
        for bad in ["7", "7=65536", "x=1", "=", "-1=1", "70000=1"] {
            assert!(pair::<Uid>(bad).is_err(), "{bad}");
        }
    }
}
