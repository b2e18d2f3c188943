//! `nervure testnet`: a mesh of real processes on this machine.

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

/// Processes of a testnet that are not nodes.
const EXTRA_PROCESSES: [&str; 2] = [MOCK_SERVER, CHAIN];

/// Runs a mesh on this machine
#[derive(Debug, clap::Subcommand)]
pub(crate) enum TestnetCommand {
    Up(up::UpArgs),
    /// Stops the testnet
    Down,
    /// Shows the nodes of the testnet
    Status,
    Logs(logs::LogsArgs),
    /// Kills a node or the mock model server with SIGKILL, like a crash
    Kill {
        /// Name of the node, such as miner-3
        #[arg(value_parser = process_name)]
        node: String,
    },
    /// Restarts a miner with another quality of its answers
    Degrade {
        /// Name of the node, such as miner-3
        #[arg(value_parser = process_name)]
        node: String,
        /// Part of its output that is not noise, in percent; 100 is the full quality
        #[arg(long, value_name = "PERCENT", default_value_t = 20, value_parser = clap::value_parser!(u8).range(0..=100))]
        quality: u8,
    },
    /// Restarts a node that was killed
    Start {
        /// Name of the node, such as miner-3
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
                let extra: Vec<_> =
                    stopped.iter().filter(|name| EXTRA_PROCESSES.contains(&name.as_str())).collect();
                let names: String = extra.iter().map(|name| format!(" and the {name}")).collect();
                output::note(&format!("stopped {} nodes{names}", stopped.len() - extra.len()));
                Ok(())
            }
            Self::Kill { node } => {
                let pid = kill(&dir, &node).await?;
                output::note(&format!("killed {node} (pid {pid}); restart it: nervure testnet start {node}"));
                Ok(())
            }
            Self::Degrade { node, quality } => {
                let pid = degrade(&dir, &node, quality, &std::env::current_exe()?).await?;
                output::note(&format!(
                    "{node} runs again with a quality of {quality} % (pid {pid}); see its scores: nervure \
                     subnet show 1"
                ));
                Ok(())
            }
            Self::Start { node } => {
                let pid = start(&dir, &node, &std::env::current_exe()?).await?;
                let how = if EXTRA_PROCESSES.contains(&node.as_str()) { "answers" } else { "is connected" };
                output::note(&format!("{node} runs and {how} (pid {pid})"));
                Ok(())
            }
        }
    }
}

/// The name of a process of a testnet; the mock model server also has its earlier name, `stand-in`.
fn process_name(name: &str) -> Result<String, std::convert::Infallible> {
    let earlier = name == "stand-in"; // the earlier name
    Ok(if earlier { MOCK_SERVER } else { name }.to_owned())
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

/// The development chain, as a row of the table.
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

/// The experts of a node in short: a built-in model as it is written, else the model or the server, and the subnet.
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

/// The epochs of the subnets; if there are several, each with its subnet.
fn epochs(node: &NodeReport) -> String {
    let epochs: Vec<_> = node.epochs.iter().map(|(netuid, epoch)| format!("{epoch} of {netuid}")).collect();
    match (&epochs[..], node.epochs.values().next()) {
        ([], _) => "-".into(),
        ([_], Some(epoch)) => epoch.to_string(),
        _ => epochs.join(", "),
    }
}
