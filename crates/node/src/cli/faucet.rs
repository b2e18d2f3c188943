//! `nervure faucet`: tokens of a test mesh for the asking.

use std::path::PathBuf;

use anyhow::Context;
use nervure_primitives::{Amount, Hash, NodeId};
use serde::Serialize;

use super::{Global, access::Access, key, mesh, output, trust};

/// Gets tokens of a test mesh for an owner key, from a node that has a faucet
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The faucet wants some work of this machine first, and pays each owner once. Not every mesh has one: a node has it with
nervure join --faucet FILE.

Examples:
  nervure key new --out owner.pem
  nervure faucet --key owner.pem --mesh mesh.toml")]
pub(crate) struct FaucetArgs {
    /// The owner id that is paid [default: that of --key]
    owner: Option<NodeId>,
    /// The owner key's file
    #[arg(long, value_name = "FILE", required_unless_present = "owner")]
    key: Option<PathBuf>,
    /// The mesh spec, a file or a URL [default: mesh.toml in the directory]
    #[arg(long = "mesh", value_name = "SPEC")]
    mesh: Option<String>,
}

#[derive(Serialize)]
struct PaymentInfo {
    owner: NodeId,
    amount: Amount,
    faucet: NodeId,
    transaction: Hash,
}

impl FaucetArgs {
    /// Runs the command.
    pub(crate) async fn run(self, global: &Global) -> anyhow::Result<()> {
        let owner = match (self.owner, &self.key) {
            (Some(owner), _) => owner,
            (None, Some(path)) => key::read_owner(path)?.node_id(),
            (None, None) => anyhow::bail!("no owner is named\nname one, or its key: --key FILE"),
        };
        let spec = match &self.mesh {
            Some(source) => mesh::read(source).await?,
            None => trust::read_spec(&trust::spec_here(global)?).await?,
        };
        let session = Access::join(spec).await?;
        output::note("asking for a faucet, and doing the work that it wants ...");
        let paid = session.claim_tokens(owner).await;
        session.close().await;
        let paid = paid.map_err(|reason| {
            anyhow::anyhow!(
                "no tokens: {reason}\nask other holders of tokens for some: they send them to {owner}"
            )
        })?;
        if global.json {
            let (amount, faucet, transaction) = (paid.amount, paid.faucet, paid.transaction);
            return output::json(&PaymentInfo { owner, amount, faucet, transaction });
        }
        output::note(&format!(
            "{} pays {} tokens to {owner}, with the next block; see: nervure wallet show {owner}",
            paid.faucet, paid.amount
        ));
        output::line(&paid.transaction.to_string()).context("cannot print")
    }
}
