//! `nervure vote`: votes on how the emission is shared among subnets.

use nervure_ledger::transaction::{Call, VoteSubnets};
use nervure_primitives::Netuid;

use super::{Global, sign::NodeSignArgs, weights::pair};

/// Votes with a node key on how the emission is shared among subnets; only the votes of the largest stakes count
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  nervure vote 1=3 2=1 --key node/key.pem      three quarters to subnet 1, one to subnet 2
  nervure vote 1=3 2=1 --dry-run               says what the vote would change, without sending it
  nervure vote                                 withdraws the vote, and gives its deposit back

A subnet's share moves towards the median of the votes, weighted by stake, by at most a tenth at a time. Stake that does
not vote counts for the present shares: nothing changes that less than half of all stake votes for.")]
pub(crate) struct VoteArgs {
    /// Subnets and their weights, in any scale (0 to 65535); without any, the vote is withdrawn
    #[arg(value_name = "NETUID=WEIGHT", value_parser = pair::<Netuid>)]
    weights: Vec<(Netuid, u16)>,
    #[command(flatten)]
    terms: NodeSignArgs,
}

impl VoteArgs {
    /// Runs the command.
    pub(crate) async fn run(self, global: &Global) -> anyhow::Result<()> {
        let call = Call::VoteSubnets(VoteSubnets { weights: self.weights });
        self.terms.send(call, global).await.map(drop)
    }
}
