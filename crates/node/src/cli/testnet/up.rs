//! `nervure testnet up`: starts a testnet, prints commands to try, and runs until Ctrl-C.

use std::{path::Path, time::Duration};

use anyhow::Context;
use nervure_ledger::spec::Role;
use nervure_testnet::{RunEnd, Shape, TEXT_API, Testnet, UpOptions, entry, report, up};
use tokio_util::sync::CancellationToken;

use super::{Global, anchor_kind::AnchorKind, output, progress::Terminal, show, upstream::UpstreamArgs};
use crate::{cli::signal, config::ExpertSpec};

/// Starts a testnet; Ctrl-C stops it
#[derive(Debug, clap::Args)]
pub(crate) struct UpArgs {
    /// Run in the background
    #[arg(long)]
    detach: bool,
    /// Continue the testnet that was stopped in this directory, with its keys, chain and balances, instead of a new one
    #[arg(long, conflicts_with_all = ["validators", "miners", "gateways", "experts", "server", "anchor", "name", "record_expiry", "block_milliseconds"])]
    resume: bool,
    /// Number of validators
    #[arg(long, value_name = "N", default_value_t = 4)]
    validators: usize,
    /// Number of miners
    #[arg(long, value_name = "N", default_value_t = 8)]
    miners: usize,
    /// Number of gateways
    #[arg(long, value_name = "N", default_value_t = 1)]
    gateways: usize,
    /// An expert that the miners serve in turn, as for `nervure join`; can be given several times [default: the
    /// built-in models, and a mock model server in the subnets of text APIs and embeddings]
    #[arg(long = "expert", value_name = "EXPERT", value_parser = parse_expert)]
    experts: Vec<String>,
    #[command(flatten)]
    upstream: UpstreamArgs,
    /// Where checkpoints are kept: in a file of each node, or in a contract on a local chain (anvil)
    #[arg(long, value_name = "KIND", value_enum, default_value_t)]
    anchor: AnchorKind,
    /// Name of the mesh
    #[arg(long, value_name = "NAME", default_value = "testnet")]
    name: String,
    /// Seconds until the record of a crashed expert expires [default: 30]
    #[arg(long, value_name = "SECONDS")]
    record_expiry: Option<u32>,
    /// Block time in milliseconds [default: 1000]
    #[arg(long, value_name = "MS")]
    block_milliseconds: Option<u32>,
    /// Seconds until the start is given up
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    timeout: u64,
}

/// Checks an expert before the start, so that a mistake is reported here and not in the log of every node.
fn parse_expert(text: &str) -> Result<String, String> {
    let parsed: Result<ExpertSpec, _> = text.parse();
    parsed.map(|_| text.to_owned()).map_err(|error| error.to_string())
}

impl UpArgs {
    /// Refuses the default experts in a build that does not have them.
    fn check_features(&self) -> anyhow::Result<()> {
        let complete = cfg!(all(feature = "byte-lm", feature = "mock-server"));
        if complete || !self.experts.is_empty() || self.miners == 0 {
            return Ok(());
        }
        anyhow::bail!(
            "this build does not have the built-in models and the mock model server that miners serve by default\n\
             name experts, as in --expert openai:URL, or build with --features byte-lm,mock-server"
        )
    }

    /// Runs the command.
    pub(crate) async fn run(self, dir: &Path, global: &Global) -> anyhow::Result<()> {
        self.check_features()?;
        text_of(dir)?;
        // Its nodes take no variables of the user's own node, so that the gateways would be open all the same.
        anyhow::ensure!(
            std::env::var_os("NERVURE_API_KEY").is_none_or(|key| key.is_empty()),
            "NERVURE_API_KEY is set, and the gateways of a testnet have no keys: every program of this machine could use them\n\
             start it without: env -u NERVURE_API_KEY nervure testnet up\n\
             or add a gateway with a key to a testnet that runs: nervure join MESH.toml --role gateway"
        );
        let (stop, hurry) = (CancellationToken::new(), CancellationToken::new());
        signal::stop_then_hurry(stop.clone(), hurry.clone())?;
        let options = UpOptions {
            dir: dir.into(),
            binary: std::env::current_exe()?,
            name: self.name,
            shape: Shape { validators: self.validators, miners: self.miners, gateways: self.gateways },
            experts: self.experts,
            upstream: self.upstream.server().await?,
            record_expiry_seconds: self.record_expiry,
            chain: self.anchor.chain()?,
            block_milliseconds: self.block_milliseconds,
            detach: self.detach,
            resume: self.resume,
            timeout: Duration::from_secs(self.timeout),
        };
        let mut progress = Terminal::with_hurry();
        let mut testnet = up(&options, &stop, &mut progress).await?;
        announce(&testnet, global).await?;
        if self.detach {
            testnet.detach();
            return Ok(());
        }
        if testnet.run(&stop, &mut progress).await == RunEnd::AllEnded {
            output::note("all nodes have ended");
        }
        testnet.stop(&hurry, &mut progress).await?;
        output::note("stopped");
        Ok(())
    }
}

/// The directory as text, as the nodes get it.
fn text_of(dir: &Path) -> anyhow::Result<&str> {
    dir.to_str().with_context(|| {
        format!("the name of the directory {} is not UTF-8\nchoose another one with --dir", dir.display())
    })
}

/// Prints the nodes and commands to try.
async fn announce(testnet: &Testnet, global: &Global) -> anyhow::Result<()> {
    let dir = testnet.layout().dir();
    let report = report(dir).await?;
    if global.json {
        return output::json(&report);
    }
    output::note("");
    show(&report)?;
    let me = program();
    let dir_word = output::shell_word(text_of(dir)?);
    let at = if global.dir.is_some() { format!(" --dir {dir_word}") } else { String::new() };
    output::note("\ntry:");
    output::note(&format!("  {me} experts find text.generate{at}"));
    output::note(&format!("  {me} ask 'fn main() {{' --capability text.generate.rust --explain{at}"));
    if report.nodes.iter().any(|node| node.role == Role::Miner && node.netuids.contains(&TEXT_API)) {
        output::note(&format!("  {me} ask --chat 'What is 6 * 7?' --subnet {TEXT_API}{at}"));
    }
    if let Ok(gateway) = entry(dir) {
        output::note(&format!(
            "  curl -N http://{}/v1/completions -H 'content-type: application/json' \\\n       \
             -d '{{\"model\": \"text.generate.prose\", \"prompt\": \"The library \", \"stream\": true}}'",
            gateway.http
        ));
    }
    output::note(&format!(
        "\nall its subnets are demonstrations, in which programs without a model can earn: {me} subnet show 1{at}"
    ));
    if report.owner.is_some() {
        output::note("\nCtrl-C stops it.");
    } else {
        output::note(&format!("\nit runs in the background; {me} testnet down{at} stops it."));
    }
    Ok(())
}

/// How the user called this program.
fn program() -> String {
    std::env::args().next().filter(|name| name.contains('/')).unwrap_or_else(|| "nervure".into())
}
