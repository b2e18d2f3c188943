//! `nervure experts`: who in the mesh can do what.

use nervure_primitives::{Amount, Capability, Netuid};

use super::{Global, access::Access, output};
use crate::{
    local::LocalNode,
    service::{ExpertView, FindPage},
};

/// Records per request, when more are wanted than one page holds.
const PAGE: usize = 500;

/// Look for experts
#[derive(Debug, clap::Subcommand)]
pub(crate) enum ExpertsCommand {
    Find(FindArgs),
}

/// Finds experts by capability, and by conditions on their records
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A capability finds everything below it: text.generate finds text.generate.rust.

Conditions (--where) compare fields with and, or, not and parentheses:
  numbers   context, max_output, price, load, netuid    with = != < <= > >=
  texts     model, capability, expert, node             with = != ~ (contains), in quotes
  flag      byte_level
The price is in base units per 1,000 tokens of output.

Examples:
  nervure experts find
  nervure experts find text.generate --where 'context >= 256 and price <= 5' --limit 20
  nervure experts find --where 'model ~ \"rust\" or not byte_level' --json")]
pub(crate) struct FindArgs {
    /// What they can do; everything when left out
    capability: Option<Capability>,
    /// Conditions on their records
    #[arg(long = "where", value_name = "FILTER")]
    filter: Option<String>,
    /// Only experts of this subnet
    #[arg(long, value_name = "NETUID")]
    netuid: Option<Netuid>,
    /// Most experts to show
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
    #[command(flatten)]
    access: Access,
}

impl ExpertsCommand {
    /// Runs the command.
    pub(crate) async fn run(self, global: &Global) -> anyhow::Result<()> {
        match self {
            Self::Find(find) => find.run(global).await,
        }
    }
}

impl FindArgs {
    async fn run(self, global: &Global) -> anyhow::Result<()> {
        let session = self.access.open(global).await?;
        let found = self.search(&session.node).await;
        session.close().await;
        let found = found?;
        if global.json {
            return output::json(&found);
        }
        output::table(
            &["capability", "model", "context", "price/1k", "load", "latency", "node", "expert"],
            found.experts.iter().map(row),
        )?;
        let more = if found.next.is_some() { "; there are more: raise --limit" } else { "" };
        output::note(&format!("{} found{more}", found.experts.len()));
        Ok(())
    }

    async fn search(&self, node: &LocalNode) -> anyhow::Result<FindPage> {
        let limit = self.limit as usize;
        let mut found = FindPage::default();
        loop {
            let query = self.query((limit - found.experts.len()).min(PAGE), found.next.as_deref());
            let mut page: FindPage = node.get("/experts", &query).await?;
            found.experts.append(&mut page.experts);
            found.next = page.next;
            if found.next.is_none() || found.experts.len() >= limit {
                return Ok(found);
            }
        }
    }

    fn query(&self, limit: usize, cursor: Option<&str>) -> Vec<(&'static str, String)> {
        let parts = [
            ("capability", self.capability.as_ref().map(ToString::to_string)),
            ("where", self.filter.clone()),
            ("netuid", self.netuid.map(|netuid| netuid.to_string())),
            ("limit", Some(limit.to_string())),
            ("cursor", cursor.map(ToOwned::to_owned)),
        ];
        parts.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
    }
}

fn row(expert: &ExpertView) -> [String; 8] {
    let price = match expert.price {
        0 => "free".into(),
        price => Amount::from_base_units(price).to_string(),
    };
    [
        expert.capability.to_string(),
        expert.model.clone(),
        expert.context.to_string(),
        price,
        format!("{} %", expert.load),
        expert.latency_ms.map_or_else(|| "-".into(), |ms| format!("{ms} ms")),
        expert.node.short(),
        expert.expert.clone(),
    ]
}
