//! The query plane against bare quinn: what frames, limits and counters cost.
//!
//! Two server processes (this program again) echo on loopback: one is the query plane as miners run it, the other the least
//! that quinn can do, with the same TLS, a stream per request, on a single-threaded runtime. One client queries both in
//! turns. Figures are medians over rounds.

mod load;
pub(crate) mod nervure_echo;
pub(crate) mod quinn_echo;
mod report;

use std::time::Duration;

use anyhow::Context;

use crate::{
    process::ServerProcess,
    server::ServerKind,
    stats::{median, percentile_us},
};
use load::{EchoClient, Load};
use nervure_echo::NervureEcho;
use quinn_echo::QuinnEcho;
pub use report::{QueryFigures, QueryReport, Ratio, Throughput};

/// Bytes of a query and of its answer.
const PAYLOAD_BYTES: usize = 1024;

/// Queries in flight, for each of which throughput is measured.
const IN_FLIGHT: [usize; 4] = [1, 16, 64, 256];

/// Concurrent streams, and chunks of each, for the streaming part.
const STREAMS: usize = 64;
const CHUNKS_PER_STREAM: u32 = 200;

/// New connections in each round.
const HANDSHAKES: usize = 20;

/// Sequential queries in each round.
const SEQUENTIAL_QUERIES: usize = 1000;

/// How much is measured.
#[derive(Clone, Copy, Debug)]
pub struct QueryEffort {
    /// Rounds; each queries both.
    pub rounds: usize,
    /// How long each throughput is measured in each round.
    pub time: Duration,
}

/// Measures both and reports to `progress`. Blocks; to be called outside a runtime.
///
/// # Errors
/// If a server process does not start or a query fails.
pub fn query(
    effort: QueryEffort,
    progress: impl FnMut(&str) + Send + 'static,
) -> anyhow::Result<QueryReport> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    // Work on a single-threaded runtime must not be spread: everything below shares this thread.
    runtime.block_on(measure(effort, progress))
}

async fn measure(effort: QueryEffort, mut progress: impl FnMut(&str)) -> anyhow::Result<QueryReport> {
    let ours = ServerProcess::start(ServerKind::Nervure)?;
    let bare = ServerProcess::start(ServerKind::Quinn)?;
    let nervure = NervureEcho::connect(&ours.hello).context("the query plane")?;
    let quinn = QuinnEcho::connect(&bare.hello).context("bare quinn")?;
    let mut measured = [Samples::default(), Samples::default()];
    for round in 1..=effort.rounds {
        progress(&format!("round {round} of {}", effort.rounds));
        one_round(&nervure, &ours, effort, &mut measured[0]).await.context("the query plane")?;
        one_round(&quinn, &bare, effort, &mut measured[1]).await.context("bare quinn")?;
    }
    let [nervure, quinn] = measured;
    let (ours, bare) = (ours.rss_bytes(), bare.rss_bytes());
    Ok(QueryReport::new(effort, nervure.summary(ours), quinn.summary(bare)))
}

/// The samples of one server, over all rounds.
#[derive(Default)]
struct Samples {
    handshakes: Vec<Duration>,
    latencies: Vec<Duration>,
    throughput: [Vec<f64>; IN_FLIGHT.len()],
    streams: Vec<Duration>,
    cpu: Vec<f64>,
}

async fn one_round<C: EchoClient>(
    client: &C,
    server: &ServerProcess,
    effort: QueryEffort,
    samples: &mut Samples,
) -> anyhow::Result<()> {
    let load = Load::new(client);
    samples.handshakes.extend(load.handshakes(HANDSHAKES).await?);
    samples.latencies.extend(load.sequential(SEQUENTIAL_QUERIES).await?);
    for (slot, in_flight) in IN_FLIGHT.into_iter().enumerate() {
        let cpu = server.cpu_with_own();
        let done = load.throughput(in_flight, effort.time).await?;
        samples.throughput[slot].push(done as f64 / effort.time.as_secs_f64());
        if in_flight == 64
            && let (Some(before), Some(after)) = (cpu, server.cpu_with_own())
        {
            samples.cpu.push((after - before).as_secs_f64() * 1e6 / done as f64);
        }
    }
    samples.streams.extend(load.streams(STREAMS, CHUNKS_PER_STREAM).await?);
    Ok(())
}

impl Samples {
    fn summary(mut self, rss: Option<u64>) -> QueryFigures {
        let [t1, t16, t64, t256] = self.throughput.map(|mut rates| median(&mut rates));
        QueryFigures {
            handshake_us: percentile_us(&mut self.handshakes, 50),
            latency_p50_us: percentile_us(&mut self.latencies, 50),
            latency_p95_us: percentile_us(&mut self.latencies, 95),
            latency_p99_us: percentile_us(&mut self.latencies, 99),
            per_second: Throughput { t1, t16, t64, t256 },
            stream_p50_us: percentile_us(&mut self.streams, 50),
            stream_p99_us: percentile_us(&mut self.streams, 99),
            cpu_us_per_query: (!self.cpu.is_empty()).then(|| median(&mut self.cpu)),
            server_rss_bytes: rss,
        }
    }
}
