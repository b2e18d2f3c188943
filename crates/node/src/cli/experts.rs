//! `nervure experts`: finds and shows the experts of the mesh.

use nervure_api::{Client, ExpertPage, ExpertSearch, ExpertView};
use nervure_primitives::{Amount, Capability, Netuid};

use super::{Global, access::Access, explain, output};

/// Records per request: the largest page that a node gives.
const MAX_PAGE_RECORDS: usize = 500;

/// Finds and shows experts
#[derive(Debug, clap::Subcommand)]
pub(crate) enum ExpertsCommand {
    Find(FindArgs),
    Show(ShowArgs),
}

/// Finds experts by capability and by conditions on their records
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
    /// Capability of the experts [default: any]
    capability: Option<Capability>,
    /// Conditions on their records
    #[arg(long = "where", value_name = "FILTER")]
    filter: Option<String>,
    /// Only experts of this subnet
    #[arg(long, value_name = "NETUID")]
    netuid: Option<Netuid>,
    /// Maximum number of experts
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
            Self::Show(show) => show.run(global).await,
        }
    }
}

/// Shows all fields of a node's experts
#[derive(Debug, clap::Args)]
pub(crate) struct ShowArgs {
    /// Node id, or its last characters as `experts find` shows them
    node: String,
    /// Only the expert with this name
    expert: Option<String>,
    #[command(flatten)]
    access: Access,
}

impl ShowArgs {
    async fn run(self, global: &Global) -> anyhow::Result<()> {
        let quoted = |text: &str| text.replace(['"', '\\'], "");
        let mut filter = format!("node ~ \"{}\"", quoted(&self.node));
        if let Some(expert) = &self.expert {
            filter += &format!(" and expert = \"{}\"", quoted(expert));
        }
        let find = FindArgs {
            capability: None,
            filter: Some(filter),
            netuid: None,
            limit: 500,
            access: self.access,
        };
        let found = find.found(global).await?;
        anyhow::ensure!(
            !found.experts.is_empty(),
            "no expert of a node '{}' is known\nlist the known experts: nervure experts find",
            self.node
        );
        if global.json {
            return output::json(&found.experts);
        }
        for expert in &found.experts {
            show(expert)?;
        }
        Ok(())
    }
}

/// Prints one expert, a field per line.
fn show(expert: &ExpertView) -> anyhow::Result<()> {
    let fields = [
        ("expert", expert.expert.clone()),
        ("node", expert.node.to_string()),
        ("subnet", expert.netuid.to_string()),
        ("capability", expert.capability.to_string()),
        ("model", expert.model.clone()),
        ("identity", expert.identity.to_string()),
        ("context", format!("{} tokens", expert.context)),
        ("output", format!("at most {} tokens", expert.max_output)),
        ("tokens", if expert.byte_level { "bytes" } else { "the model's" }.into()),
        ("price", format!("{} per 1,000 tokens", price(expert.price))),
        ("load", format!("{} %", expert.load)),
        ("latency", expert.latency_ms.map_or_else(|| "not asked yet".into(), |ms| format!("{ms} ms"))),
        ("trust", trust(expert)),
        ("expires in", format!("{} s", expert.expires_in_ms / 1000)),
    ];
    for (name, value) in fields {
        output::line(&format!("{name:<11} {value}"))?;
    }
    output::line("")
}

/// The trust in an expert, in words.
fn trust(expert: &ExpertView) -> String {
    let Some(figures) = &expert.trust else { return "unknown".into() };
    let [trust, tested, earned, backing] = explain::trust_cells(figures);
    format!("{trust}: tested {tested}, its neuron earned {earned}, backing of its subnet {backing}")
}

impl FindArgs {
    async fn run(self, global: &Global) -> anyhow::Result<()> {
        let found = self.found(global).await?;
        if global.json {
            return output::json(&found);
        }
        output::table(
            &["capability", "model", "context", "price/1k", "load", "latency", "trust", "node", "expert"],
            found.experts.iter().map(row),
        )?;
        let more = if found.next.is_some() { "; there are more: raise --limit" } else { "" };
        output::note(&format!("{} found{more}", found.experts.len()));
        Ok(())
    }

    async fn found(&self, global: &Global) -> anyhow::Result<ExpertPage> {
        let session = self.access.open(global).await?;
        let found = self.search(session.node.client()).await;
        session.close().await;
        found
    }

    async fn search(&self, node: &Client) -> anyhow::Result<ExpertPage> {
        let limit = self.limit as usize;
        let mut found = ExpertPage::default();
        loop {
            let search = self.page((limit - found.experts.len()).min(MAX_PAGE_RECORDS), found.next.clone());
            let mut page = node.experts(&search).await?;
            found.experts.append(&mut page.experts);
            found.next = page.next;
            if found.next.is_none() || found.experts.len() >= limit {
                return Ok(found);
            }
        }
    }

    fn page(&self, limit: usize, cursor: Option<String>) -> ExpertSearch {
        ExpertSearch {
            capability: self.capability.clone(),
            netuid: self.netuid,
            filter: self.filter.clone(),
            limit,
            cursor,
        }
    }
}

fn row(expert: &ExpertView) -> [String; 9] {
    [
        expert.capability.to_string(),
        expert.model.clone(),
        expert.context.to_string(),
        price(expert.price),
        format!("{} %", expert.load),
        expert.latency_ms.map_or_else(|| "-".into(), |ms| format!("{ms} ms")),
        expert.trust.map_or_else(|| "-".into(), |figures| explain::trust_cells(&figures)[0].clone()),
        expert.node.short(),
        expert.expert.clone(),
    ]
}

/// A price for display, in tokens of the mesh.
fn price(base_units: u64) -> String {
    match base_units {
        0 => "free".into(),
        price => Amount::from_base_units(price).to_string(),
    }
}
