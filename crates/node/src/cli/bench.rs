//! `nervure bench`: measurements against a baseline in the same run.

mod discovery;
mod tables;

use std::time::Duration;

use nervure_bench::{DiscoveryScale, FailoverPlan, KillsPlan, QueryEffort, ServerKind};
use nervure_store::fail_point;

use super::{Global, output};
use discovery::BenchNode;

/// Measures the mesh against baselines in the same run
#[derive(Debug, clap::Subcommand)]
pub(crate) enum BenchCommand {
    /// Compares the query plane with bare quinn, on loopback, in separate processes
    Query {
        /// Rounds; the figures are medians over them
        #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=100))]
        rounds: u16,
        /// Milliseconds for each throughput in each round
        #[arg(long, value_name = "MS", default_value_t = 500, value_parser = clap::value_parser!(u64).range(10..=60_000))]
        time: u64,
    },
    /// Measures discovery through the directory, with many swarms in this process
    Discovery {
        /// Swarms that form the mesh
        #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u16).range(5..=250))]
        nodes: u16,
        /// Experts to publish, all of one capability
        #[arg(long, value_name = "N", default_value_t = 192, value_parser = clap::value_parser!(u16).range(1..=2000))]
        experts: u16,
        /// Clients that join one after the other and know only the bootstrap nodes
        #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=200))]
        clients: u16,
    },
    /// Measures how long the validators of the running testnet take to commit a block
    Finality {
        /// Blocks to watch
        #[arg(long, value_name = "N", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=100_000))]
        blocks: u64,
    },
    /// Starts a testnet, kills its validators repeatedly, and checks that no final block is lost
    Kills {
        /// Kills at random moments
        #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(0..=100_000))]
        kills: u32,
        /// Sweeps over all fail points, each killing one validator at every point; needs a build with fail points
        #[arg(long, value_name = "N", default_value_t = fail_point::ENABLED.into(), value_parser = clap::value_parser!(u32).range(0..=1_000))]
        sweeps: u32,
        /// Seed of all random choices
        #[arg(long, value_name = "SEED", default_value_t = 1)]
        seed: u64,
        /// Milliseconds from one block to the next
        #[arg(long, value_name = "MS", default_value_t = 1_000)]
        block_milliseconds: u32,
    },
    /// Starts a testnet, kills its miners while they stream, and checks that no client notices
    Failover {
        /// Number of streams
        #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
        streams: u32,
        /// Concurrent streams
        #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=256))]
        parallel: u32,
        /// Miners, all with the same model
        #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u32).range(2..=16))]
        miners: u32,
        /// Bytes of each stream
        #[arg(long, value_name = "N", default_value_t = 300, value_parser = clap::value_parser!(u32).range(1..=4_096))]
        bytes: u32,
        /// Milliseconds from a miner's restart to the next kill
        #[arg(long, value_name = "MS", default_value_t = 1_000)]
        pause: u64,
    },
    /// Compares queries through a gateway with queries directly to the miner, and with nginx in front of an HTTP server
    Gateway {
        /// Rounds; the figures are medians over them
        #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=100))]
        rounds: u16,
        /// Milliseconds for each throughput in each round
        #[arg(long, value_name = "MS", default_value_t = 2_000, value_parser = clap::value_parser!(u64).range(10..=60_000))]
        time: u64,
    },
    /// Starts a testnet, floods its miners with strangers, and counts what a validator, a gateway and a stranger get of them
    Flood {
        /// Seconds without the flood, and seconds with it, for each of two miners
        #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=3_600))]
        time: u64,
    },
    /// Runs a server process of a measurement
    #[command(hide = true)]
    Serve { kind: ServerKind },
}

impl BenchCommand {
    /// Runs the command.
    pub(crate) async fn run(self, global: &Global) -> anyhow::Result<()> {
        match self {
            Self::Query { rounds, time } => {
                let effort = QueryEffort { rounds: rounds.into(), time: Duration::from_millis(time) };
                // On a separate thread: the measurement has its own single-threaded runtime.
                let run = move || nervure_bench::query(effort, output::note);
                tables::query(&tokio::task::spawn_blocking(run).await??, global)
            }
            Self::Discovery { nodes, experts, clients } => {
                let (nodes, experts, clients) = (nodes.into(), experts.into(), clients.into());
                let scale = DiscoveryScale { nodes, experts, clients };
                tables::discovery(&nervure_bench::discover::<BenchNode>(scale, output::note).await?, global)
            }
            Self::Finality { blocks } => {
                tables::finality(&nervure_bench::finality(&global.testnet_dir()?, blocks).await?, global)
            }
            Self::Kills { kills, sweeps, seed, block_milliseconds } => {
                let plan = KillsPlan { kills, sweeps, seed, block_milliseconds };
                tables::kills(&nervure_bench::kills(plan, output::note).await?, global)
            }
            Self::Failover { streams, parallel, miners, bytes, pause } => {
                let pause = Duration::from_millis(pause);
                let plan = FailoverPlan { streams, parallel, miners, bytes, pause };
                tables::failover(&nervure_bench::failover(plan, output::note).await?, global)
            }
            Self::Gateway { rounds, time } => {
                let time = Duration::from_millis(time);
                tables::gateway(&nervure_bench::gateway(rounds.into(), time, output::note).await?, global)
            }
            Self::Flood { time } => {
                let time = Duration::from_secs(time);
                tables::flood(&nervure_bench::flood(time, output::note).await?, global)
            }
            Self::Serve { kind } => tokio::task::spawn_blocking(move || nervure_bench::serve(kind)).await?,
        }
    }
}
