//! The command line: one file per command.
//!
//! Data goes to standard output, everything about it to standard error. An error says what happened and what to do
//! next; the exit codes are in `docs/cli.md`.

// A variant that is added to one of our enums has to get its sentence here, or its reason to have none.
#![deny(clippy::wildcard_enum_match_arm, clippy::match_wildcard_for_single_variants)]

#[cfg(not(all(feature = "anchor-evm", feature = "mock-server")))]
mod absent;
mod access;
mod anchor;
mod ask;
mod audit;
mod backup;
mod behalf;
#[cfg(feature = "bench")]
mod bench;
mod certify;
mod checkpoint;
mod completions;
mod descriptors;
mod doctor;
mod experts;
mod explain;
mod failure;
mod faucet;
mod fees;
mod gateway;
mod invite;
mod join;
mod key;
mod logging;
mod man;
mod mesh;
#[cfg(feature = "mock-server")]
mod mock_server;
mod neuron;
mod output;
mod peers;
mod proposal;
mod receipt;
#[cfg(test)]
#[cfg(all(feature = "bench", feature = "mock-server"))]
mod reference;
mod score;
mod secret;
mod service;
mod sign;
mod signal;
mod stake;
mod status;
mod subnet;
mod testnet;
mod trust;
mod validator;
mod verify;
mod vote;
mod wallet;
mod weights;
mod yuma;

use std::{path::PathBuf, process::ExitCode};

use anyhow::Context;
use clap::{CommandFactory, Parser, Subcommand};

/// A peer-to-peer mesh of machine-learning subnets: ask for a capability, get an answer
#[derive(Debug, Parser)]
#[command(
    name = "nervure",
    version,
    after_help = "\
Begin with:
  nervure testnet up                                   a mesh of 13 nodes on this machine
  nervure ask 'fn main() {' -c text.generate.rust      in another terminal
  nervure experts find text.generate"
)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// What every command takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Global {
    /// Directory of the node or testnet [default: under the user's data directory]
    #[arg(long, global = true, value_name = "DIR", env = "NERVURE_DIR")]
    dir: Option<PathBuf>,
    /// Print data as JSON
    #[arg(long, global = true)]
    json: bool,
}

impl Global {
    /// The testnet's directory.
    fn testnet_dir(&self) -> anyhow::Result<PathBuf> {
        self.dir.clone().map_or_else(|| Ok(data_dir()?.join("testnet")), Ok)
    }

    /// The directory of the user's own node.
    fn own_node_dir(&self) -> anyhow::Result<PathBuf> {
        self.dir.clone().map_or_else(|| Ok(data_dir()?.join("node")), Ok)
    }

    /// The directory that commands use to find a running node: the named one, else that of the user's own node if
    /// it runs, else the testnet's.
    fn node_dir(&self) -> anyhow::Result<PathBuf> {
        let own = self.own_node_dir()?;
        let runs = nervure_testnet::NodeFile::read(&own).ok().flatten().is_some_and(|file| file.runs());
        if runs { Ok(own) } else { self.testnet_dir() }
    }
}

/// The directory of the user's data: `$XDG_DATA_HOME/nervure`, else `~/.local/share/nervure`.
fn data_dir() -> anyhow::Result<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    match (set("XDG_DATA_HOME").filter(|dir| dir.is_absolute()), set("HOME")) {
        (Some(data), _) => Ok(data.join("nervure")),
        (None, Some(home)) => Ok(home.join(".local/share/nervure")),
        (None, None) => anyhow::bail!("neither XDG_DATA_HOME nor HOME is set\nname a directory with --dir"),
    }
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs a mesh on this machine
    #[command(subcommand)]
    Testnet(testnet::TestnetCommand),
    Join(Box<join::JoinArgs>),
    Invite(Box<invite::InviteArgs>),
    Ask(Box<ask::AskArgs>),
    /// Verifies receipts
    #[command(subcommand)]
    Receipt(receipt::ReceiptCommand),
    /// Shows and verifies what audits found
    #[command(subcommand)]
    Audit(audit::AuditCommand),
    /// Finds and shows experts
    #[command(subcommand)]
    Experts(experts::ExpertsCommand),
    Status(status::StatusArgs),
    Doctor(doctor::DoctorArgs),
    Faucet(faucet::FaucetArgs),
    Peers(peers::PeersArgs),
    /// Manages the keys of a gateway's HTTP API
    #[command(subcommand)]
    Gateway(gateway::GatewayCommand),
    /// Keeps a node running as a service of systemd
    #[command(subcommand)]
    Service(service::ServiceCommand),
    Backup(backup::BackupArgs),
    Restore(backup::RestoreArgs),
    /// Creates and shows mesh specs
    #[command(subcommand)]
    Mesh(mesh::MeshCommand),
    /// Creates, shows and registers keys
    #[command(subcommand)]
    Key(key::KeyCommand),
    /// Lists, shows and verifies checkpoints
    #[command(subcommand)]
    Checkpoint(checkpoint::CheckpointCommand),
    /// Anchors checkpoints in a contract on another chain
    #[command(subcommand)]
    Anchor(anchor::AnchorCommand),
    /// Explains scores
    #[command(subcommand)]
    Score(score::ScoreCommand),
    /// Shows and spends the tokens of an owner key
    #[command(subcommand)]
    Wallet(wallet::WalletCommand),
    /// Adds and removes stake on nodes, and sets a node's take
    #[command(subcommand)]
    Stake(stake::StakeCommand),
    /// Joins and leaves the validators that make blocks, and shows them
    #[command(subcommand)]
    Validator(validator::ValidatorCommand),
    /// Creates, inspects and configures subnets
    #[command(subcommand)]
    Subnet(subnet::SubnetCommand),
    /// Registers nodes in subnets, and takes them out
    #[command(subcommand)]
    Neuron(neuron::NeuronCommand),
    /// Sets, commits and reveals weights as a validator
    #[command(subcommand)]
    Weights(weights::WeightsCommand),
    /// Makes, shows and votes on proposals of token holders
    #[command(subcommand)]
    Proposal(Box<proposal::ProposalCommand>),
    Vote(vote::VoteArgs),
    Yuma(yuma::YumaArgs),
    #[cfg(feature = "mock-server")]
    MockServer(mock_server::MockServerArgs),
    /// The earlier name of `mock-server`
    #[cfg(feature = "mock-server")]
    #[command(name = "stand-in", hide = true)] // the earlier name
    FormerMockServer(mock_server::MockServerArgs),
    /// Not in this build: the mock model server
    #[cfg(not(feature = "mock-server"))]
    #[command(alias = "stand-in")] // the earlier name
    MockServer(absent::AbsentArgs),
    /// Not in this build: measurements
    #[cfg(not(feature = "bench"))]
    Bench(absent::AbsentArgs),
    /// Measures the mesh against baselines in the same run
    #[cfg(feature = "bench")]
    #[command(subcommand)]
    Bench(bench::BenchCommand),
    Completions(completions::CompletionsArgs),
    Man(man::ManArgs),
}

/// Fewest worker threads: with only one, a computation would block the network.
const MIN_WORKER_THREADS: usize = 2;

impl Command {
    /// Threads of the async runtime: one for each core, unless `join` sets a number.
    fn worker_threads(&self, global: &Global) -> anyhow::Result<usize> {
        let set = if let Self::Join(join) = self { join.worker_threads(global)? } else { None };
        let cores = || std::thread::available_parallelism().map_or(MIN_WORKER_THREADS, usize::from);
        Ok(set.map_or_else(cores, usize::from).max(MIN_WORKER_THREADS))
    }
}

/// The whole command line: for documentation, and for tests of documents.
pub fn command() -> clap::Command {
    Cli::command()
}

/// Parses the command line and runs the command.
pub fn run() -> ExitCode {
    let cli = Cli::parse();
    let done = runtime(&cli).and_then(|runtime| runtime.block_on(dispatch(cli)));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failure::report(&error),
    }
}

fn runtime(cli: &Cli) -> anyhow::Result<tokio::runtime::Runtime> {
    let threads = cli.command.worker_threads(&cli.global)?;
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(threads).enable_all().build().context("cannot start")
}

async fn dispatch(Cli { global, command }: Cli) -> anyhow::Result<()> {
    match command {
        Command::Testnet(command) => command.run(&global).await,
        Command::Join(join) => Box::pin(join.run(&global)).await,
        Command::Invite(invite) => invite.run(&global).await,
        Command::Ask(ask) => ask.run(&global).await,
        Command::Receipt(command) => command.run(&global).await,
        Command::Audit(command) => command.run(&global).await,
        Command::Experts(command) => command.run(&global).await,
        Command::Status(status) => status.run(&global).await,
        Command::Doctor(doctor) => Box::pin(doctor.run(&global)).await,
        Command::Faucet(faucet) => faucet.run(&global).await,
        Command::Peers(peers) => peers.run(&global).await,
        Command::Gateway(command) => command.run(&global),
        Command::Service(command) => command.run(&global),
        Command::Backup(backup) => backup.run(&global),
        Command::Restore(restore) => restore.run(&global),
        Command::Mesh(command) => command.run(&global).await,
        Command::Key(command) => command.run(&global).await,
        Command::Checkpoint(command) => command.run(&global).await,
        Command::Anchor(command) => command.run(&global).await,
        Command::Score(command) => command.run(&global).await,
        Command::Wallet(command) => command.run(&global).await,
        Command::Stake(command) => command.run(&global).await,
        Command::Validator(command) => command.run(&global).await,
        Command::Subnet(command) => command.run(&global).await,
        Command::Neuron(command) => command.run(&global).await,
        Command::Weights(command) => command.run(&global).await,
        Command::Proposal(command) => command.run(&global).await,
        Command::Vote(vote) => vote.run(&global).await,
        Command::Yuma(yuma) => yuma.run(&global),
        #[cfg(not(feature = "mock-server"))]
        Command::MockServer(_) => Err(absent::error("nervure mock-server", "mock-server")),
        #[cfg(feature = "mock-server")]
        Command::MockServer(args) => args.run().await,
        #[cfg(feature = "mock-server")]
        Command::FormerMockServer(args) => {
            output::note("this command is deprecated: use nervure mock-server");
            args.run().await
        }
        #[cfg(not(feature = "bench"))]
        Command::Bench(_) => Err(absent::error("nervure bench", "bench")),
        #[cfg(feature = "bench")]
        Command::Bench(command) => command.run(&global).await,
        Command::Completions(completions) => completions.run(),
        Command::Man(man) => man.run(&global),
    }
}
