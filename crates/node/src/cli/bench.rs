//! `nervure bench`: measures this machine, against a baseline in the same run.

use std::time::Duration;

use nervure_store::fail_point;

use super::{Global, output};
use crate::bench::{self, Effort, Failovers, GatewayReport, Kills, Plan, Scale, ServeKind, Streams, Way};

/// Measures, against a baseline in the same run
#[derive(Debug, clap::Subcommand)]
pub(crate) enum BenchCommand {
    /// The query plane against bare quinn, on loopback, in separate processes
    Query {
        /// Rounds; figures are medians over them
        #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=100))]
        rounds: u16,
        /// Milliseconds for which each throughput is measured in each round
        #[arg(long, value_name = "MS", default_value_t = 500, value_parser = clap::value_parser!(u64).range(10..=60_000))]
        time: u64,
    },
    /// Discovery through the directory alone, by many real swarms in this process
    Discovery {
        /// Swarms
        #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u16).range(5..=250))]
        nodes: u16,
        /// Experts, all of one capability
        #[arg(long, value_name = "N", default_value_t = 192, value_parser = clap::value_parser!(u16).range(1..=2000))]
        experts: u16,
        /// Clients that join knowing nothing, one after the other
        #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=200))]
        clients: u16,
    },
    /// How long the validators of the running testnet take to agree on a block
    Finality {
        /// Blocks
        #[arg(long, value_name = "N", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=100_000))]
        blocks: u64,
    },
    /// Kills validators of a testnet of its own, again and again, and looks whether a final block is ever lost
    Kills {
        /// Kills at random moments
        #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(0..=100_000))]
        kills: u32,
        /// How often a validator dies at every fail point; only in a program that has them
        #[arg(long, value_name = "N", default_value_t = fail_point::ENABLED.into(), value_parser = clap::value_parser!(u32).range(0..=1_000))]
        sweeps: u32,
        /// Whatever is drawn comes from it
        #[arg(long, value_name = "SEED", default_value_t = 1)]
        seed: u64,
        /// Milliseconds from one block to the next
        #[arg(long, value_name = "MS", default_value_t = 1_000)]
        block_milliseconds: u32,
    },
    /// Kills miners of a testnet of its own while they stream, and looks whether any client notices
    Failover {
        /// Streams in all
        #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
        streams: u32,
        /// How many at once
        #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=256))]
        parallel: u32,
        /// Miners, all with the same model
        #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u32).range(2..=16))]
        miners: u32,
        /// Bytes of each stream
        #[arg(long, value_name = "N", default_value_t = 300, value_parser = clap::value_parser!(u32).range(1..=4_096))]
        bytes: u32,
        /// Milliseconds from a miner's return to the next kill
        #[arg(long, value_name = "MS", default_value_t = 1_000)]
        pause: u64,
    },
    /// The way through a gateway against the way straight to the miner, and nginx in front of a server beside them
    Gateway {
        /// Rounds; figures are medians over them
        #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=100))]
        rounds: u16,
        /// Milliseconds for which each throughput is measured in each round
        #[arg(long, value_name = "MS", default_value_t = 2_000, value_parser = clap::value_parser!(u64).range(10..=60_000))]
        time: u64,
    },
    /// What a server process of the measurement runs
    #[command(hide = true)]
    Serve { kind: ServeKind },
}

impl BenchCommand {
    /// Runs the command.
    pub(crate) async fn run(self, global: &Global) -> anyhow::Result<()> {
        match self {
            Self::Query { rounds, time } => {
                let effort = Effort { rounds: rounds.into(), time: Duration::from_millis(time) };
                let run = move || bench::run(effort, output::note);
                // A thread of its own: the measurement brings its own single-threaded runtime.
                let report = tokio::task::spawn_blocking(run).await??;
                if global.json {
                    return output::json(&report);
                }
                output::table(&["", "nervure", "bare quinn", "ratio"], report.rows())?;
                output::note(&format!(
                    "{} cores, {} bytes each way; 'nervure' is the whole query plane",
                    report.cores, report.payload_bytes
                ));
                Ok(())
            }
            Self::Discovery { nodes, experts, clients } => {
                let scale = Scale { nodes: nodes.into(), experts: experts.into(), clients: clients.into() };
                let found = bench::discover(scale, output::note).await?;
                if global.json {
                    return output::json(&found);
                }
                let percent = |share: f64| format!("{:.1} %", share * 100.0);
                let ms = |ms: f64| format!("{ms:.0} ms");
                let rows = [
                    ["experts found by a cold client, least".to_owned(), percent(found.found_least)],
                    ["experts found by a cold client, mean".to_owned(), percent(found.found_mean)],
                    ["cold: join and search, p50".to_owned(), ms(found.cold_p50_ms)],
                    ["cold: join and search, p95".to_owned(), ms(found.cold_p95_ms)],
                    ["search when connected, p50".to_owned(), ms(found.search_p50_ms)],
                    ["search when connected, p95".to_owned(), ms(found.search_p95_ms)],
                    [
                        "directory requests per cold search".to_owned(),
                        format!("{:.1}", found.requests_per_search),
                    ],
                    ["forming the mesh".to_owned(), ms(found.forming_ms)],
                    ["publishing everything, twice".to_owned(), ms(found.publishing_ms)],
                ];
                let title = format!("{nodes} swarms, {experts} experts");
                output::table(&[&title, ""], rows)
            }
            Self::Finality { blocks } => {
                let seen = bench::finality(&global.testnet_dir()?, blocks).await?;
                if global.json {
                    return output::json(&seen);
                }
                let ms = |ms: f64| format!("{ms:.0} ms");
                let rows = [
                    ["from block to block, mean".to_owned(), ms(seen.interval_ms)],
                    ["from the beginning of a height to its commit, p50".to_owned(), ms(seen.p50_ms)],
                    ["p95".to_owned(), ms(seen.p95_ms)],
                    ["worst".to_owned(), ms(seen.worst_ms)],
                ];
                let title = format!("{} blocks, {} validators", seen.blocks, seen.validators);
                output::table(&[&title, ""], rows)
            }
            Self::Kills { kills, sweeps, seed, block_milliseconds } => {
                let plan = Plan { kills, sweeps, seed, block_milliseconds };
                let seen = bench::kills(plan, output::note).await?;
                show_kills(&seen, global)
            }
            Self::Failover { streams, parallel, miners, bytes, pause } => {
                let pause = Duration::from_millis(pause);
                let plan = Streams { streams, parallel, miners, bytes, pause };
                show_failovers(&bench::failover(plan, output::note).await?, global)
            }
            Self::Gateway { rounds, time } => {
                let seen = bench::gateway(rounds.into(), Duration::from_millis(time), output::note).await?;
                show_gateway(&seen, global)
            }
            Self::Serve { kind } => tokio::task::spawn_blocking(move || bench::serve(kind)).await?,
        }
    }
}

/// What each way costs.
fn show_gateway(seen: &GatewayReport, global: &Global) -> anyhow::Result<()> {
    if global.json {
        return output::json(seen);
    }
    let us = |us: f64| format!("{us:.0} us");
    let row = |name: &str, way: &Way, before: Option<&Way>| {
        let added = before.map_or_else(|| "-".to_owned(), |before| us(way.p50_us - before.p50_us));
        [name.to_owned(), us(way.p50_us), added, us(way.p99_us), format!("{:.0}", way.per_second)]
    };
    let mut rows = vec![
        row("straight to the miner", &seen.straight, None),
        row("through the gateway", &seen.gateway, Some(&seen.straight)),
        row("straight to an HTTP server", &seen.upstream, None),
    ];
    rows.extend(seen.nginx.iter().map(|nginx| row("through nginx", nginx, Some(&seen.upstream))));
    output::table(&["", "p50", "added", "p99", "per second"], rows)?;
    output::note(&format!("{} cores, which all of it shares", seen.cores));
    Ok(())
}

/// What became of the streams; an error when one broke off or said something else.
fn show_failovers(seen: &Failovers, global: &Global) -> anyhow::Result<()> {
    if global.json {
        output::json(seen)?;
    } else {
        let ms = |ms: f64| format!("{ms:.0} ms");
        let rows = [
            ["miners killed".to_owned(), seen.kills.to_string()],
            ["streams that another miner went on with".to_owned(), seen.took_over.to_string()],
            ["streams that came to their end".to_owned(), seen.whole.to_string()],
            ["streams that said byte for byte what the model says".to_owned(), seen.identical.to_string()],
            [
                "longest silence of a stream that another went on with, p50".to_owned(),
                ms(seen.silence_p50_ms),
            ],
            ["worst".to_owned(), ms(seen.silence_worst_ms)],
        ];
        output::table(&[&format!("{} streams", seen.streams), ""], rows)?;
    }
    let complaints = seen.complaints.join("\n");
    anyhow::ensure!(complaints.is_empty(), "{} streams went wrong\n{complaints}", seen.complaints.len());
    Ok(())
}

/// What became of the kills; an error when something was lost.
fn show_kills(seen: &Kills, global: &Global) -> anyhow::Result<()> {
    if global.json {
        output::json(seen)?;
    } else {
        let ms = |ms: f64| format!("{ms:.0} ms");
        let at_points: u32 = seen.at_fail_points.values().sum();
        let points = format!("{at_points} at {} fail points", seen.at_fail_points.len());
        let rows = [
            ["killed".to_owned(), format!("{} at random moments, {points}", seen.random)],
            ["started again".to_owned(), seen.restarts.to_string()],
            ["from the start of a process until it signs again, p50".to_owned(), ms(seen.back_p50_ms)],
            ["p95".to_owned(), ms(seen.back_p95_ms)],
            ["worst".to_owned(), ms(seen.back_worst_ms)],
            ["worst while the three others ran".to_owned(), ms(seen.back_alone_worst_ms)],
            ["final blocks compared, on every node".to_owned(), seen.heights.to_string()],
            ["lost, replaced, contradicted".to_owned(), seen.complaints.len().to_string()],
        ];
        output::table(&[&format!("{} validators, seed {}", seen.validators, seen.seed), ""], rows)?;
    }
    let complaints = seen.complaints.join("\n");
    anyhow::ensure!(complaints.is_empty(), "{} things went wrong\n{complaints}", seen.complaints.len());
    Ok(())
}
