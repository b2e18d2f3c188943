//! `nervure testnet`: a whole mesh of real processes on this machine.

mod anchor_kind;
#[cfg(feature = "anchor-evm")]
mod anvil;
mod logs;
mod progress;
mod up;
mod upstream;

use nervure_testnet::{CHAIN, MOCK_SERVER, NodeReport, Report, Stage, degrade, down, kill, report, start};

use super::{Global, output};
use progress::Terminal;

/// Processes that are no nodes.
const BESIDE: [&str; 2] = [MOCK_SERVER, CHAIN];

/// Runs a whole mesh on this machine
#[derive(Debug, clap::Subcommand)]
pub(crate) enum TestnetCommand {
    Up(up::UpArgs),
    /// Stops it
    Down,
    /// Shows its nodes
    Status,
    Logs(logs::LogsArgs),
    /// Kills a node, or the mock model server, as a crash would
    Kill {
        /// Its name, such as miner-3
        #[arg(value_parser = process_name)]
        node: String,
    },
    /// Makes a miner worse, or good again, by starting it with other settings
    Degrade {
        /// Its name, such as miner-3
        #[arg(value_parser = process_name)]
        node: String,
        /// How much of what it says is not noise, in percent
        #[arg(long, value_name = "PERCENT", default_value_t = 20, value_parser = clap::value_parser!(u8).range(0..=100))]
        quality: u8,
    },
    /// Starts a node again that was killed
    Start {
        /// Its name, such as miner-3
        #[arg(value_parser = process_name)]
        node: String,
    },
}

impl TestnetCommand {
    /// Runs the command.
    pub(crate) async fn run(self, global: &Global) -> anyhow::Result<()> {
        let dir = global.testnet_dir()?;
        match self {
            Self::Up(up) => up.run(&dir, global).await,
            Self::Logs(logs) => logs.run(&dir).await,
            Self::Status => {
                let report = report(&dir).await?;
                if global.json { output::json(&report) } else { show(&report) }
            }
            Self::Down => {
                let stopped = down(&dir, &mut Terminal::new()).await?;
                let beside: Vec<_> = stopped.iter().filter(|name| BESIDE.contains(&name.as_str())).collect();
                let too: String = beside.iter().map(|name| format!(" and the {name}")).collect();
                output::note(&format!("stopped {} nodes{too}", stopped.len() - beside.len()));
                Ok(())
            }
            Self::Kill { node } => {
                let pid = kill(&dir, &node).await?;
                output::note(&format!(
                    "killed {node} (pid {pid}); start it again: nervure testnet start {node}"
                ));
                Ok(())
            }
            Self::Degrade { node, quality } => {
                let pid = degrade(&dir, &node, quality, &std::env::current_exe()?).await?;
                output::note(&format!(
                    "{node} runs again with a quality of {quality} % (pid {pid}); validators will notice: nervure \
                     subnet show 1"
                ));
                Ok(())
            }
            Self::Start { node } => {
                let pid = start(&dir, &node, &std::env::current_exe()?).await?;
                let how = if BESIDE.contains(&node.as_str()) { "answers" } else { "is connected" };
                output::note(&format!("{node} runs and {how} (pid {pid})"));
                Ok(())
            }
        }
    }
}

/// The name of a process of a testnet; `stand-in` is the earlier name of the mock model server.
fn process_name(name: &str) -> Result<String, std::convert::Infallible> {
    Ok(if name == "stand-in" { MOCK_SERVER } else { name }.to_owned())
}

/// Prints a testnet as a table.
fn show(report: &Report) -> anyhow::Result<()> {
    let alive = report.nodes.iter().filter(|node| node.alive).count();
    let stage = match report.stage {
        Stage::Starting => "starting",
        Stage::Ready if report.running => "running",
        Stage::Ready => "killed",
        Stage::Stopped => "stopped",
    };
    output::note(&format!(
        "{stage}: {alive} of {} nodes, mesh {}, in {}",
        report.nodes.len(),
        report.mesh.short(),
        report.dir.display()
    ));
    let dash = || "-".to_owned();
    let rows = report.nodes.iter().map(|node| {
        [
            node.name.clone(),
            if node.alive { "up" } else { "down" }.into(),
            serves(&node.experts),
            node.pid.map_or_else(dash, |pid| pid.to_string()),
            node.peers_connected.map_or_else(dash, |peers| peers.to_string()),
            node.experts_known.map_or_else(dash, |experts| experts.to_string()),
            node.height.map_or_else(dash, |height| height.to_string()),
            epochs(node),
            node.finality_ms.map_or_else(dash, |took| format!("{took} ms")),
            node.checkpoint.map_or_else(dash, |block| block.to_string()),
            node.rss_bytes.map_or_else(dash, |bytes| format!("{} MiB", bytes >> 20)),
            node.http.map_or_else(dash, |http| http.to_string()),
        ]
    });
    let rows = rows.chain(mock_server(report)).chain(chain(report));
    output::table(
        &[
            "node",
            "state",
            "serves",
            "pid",
            "peers",
            "experts",
            "block",
            "epoch",
            "final in",
            "checkpoint",
            "memory",
            "http",
        ],
        rows,
    )
}

/// The mock model server among the nodes, where there is one.
fn chain(report: &Report) -> Option<[String; 12]> {
    let chain = report.chain.as_ref()?;
    let mut row: [String; 12] = std::array::from_fn(|_| "-".to_owned());
    row[0] = chain.name.to_owned();
    row[1] = if chain.alive { "up" } else { "down" }.into();
    row[2] = "the anchor's chain".into();
    row[3] = chain.pid.map_or_else(|| "-".into(), |pid| pid.to_string());
    row[11] = chain.endpoint.trim_start_matches("http://").to_owned();
    Some(row)
}

/// The mock model server, as a row of the table.
fn mock_server(report: &Report) -> Option<[String; 12]> {
    let mock_server = report.mock_server.as_ref()?;
    let mut row = [const { String::new() }; 12].map(|_| "-".to_owned());
    row[0] = mock_server.name.to_owned();
    row[1] = if mock_server.alive { "up" } else { "down" }.into();
    row[2] = "a program, no model".into();
    row[3] = mock_server.pid.map_or_else(|| "-".into(), |pid| pid.to_string());
    row[10] = mock_server.rss_bytes.map_or_else(|| "-".into(), |bytes| format!("{} MiB", bytes >> 20));
    row[11] = mock_server.url.trim_start_matches("http://").trim_end_matches("/v1").to_owned();
    Some(row)
}

/// What is served, in short: a built-in model as it is written, of others the model or the server, and where.
fn serves(experts: &[String]) -> String {
    let short = |expert: &String| {
        let setting = |name: &str| expert.split(',').find_map(|setting| setting.trim().strip_prefix(name));
        let place = setting("netuid=").map(|netuid| format!(" in {netuid}")).unwrap_or_default();
        match expert.strip_prefix("openai:") {
            None => expert.clone(),
            Some(url) => format!("{}{place}", setting("model=").unwrap_or(url)),
        }
    };
    if experts.is_empty() { "-".into() } else { experts.iter().map(short).collect::<Vec<_>>().join("; ") }
}

/// The epochs of the subnets: with several, each with its subnet.
fn epochs(node: &NodeReport) -> String {
    let epochs: Vec<_> = node.epochs.iter().map(|(netuid, epoch)| format!("{epoch} of {netuid}")).collect();
    match (&epochs[..], node.epochs.values().next()) {
        ([], _) => "-".into(),
        ([_], Some(epoch)) => epoch.to_string(),
        _ => epochs.join(", "),
    }
}
