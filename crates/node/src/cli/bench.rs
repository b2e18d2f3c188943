//! `nervure bench`: measures this machine, against a baseline in the same run.

use std::time::Duration;

use super::{Global, output};
use crate::bench::{self, Effort, ServeKind};

/// Measure, against a baseline in the same run
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
            Self::Serve { kind } => tokio::task::spawn_blocking(move || bench::serve(kind)).await?,
        }
    }
}
