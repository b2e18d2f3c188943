//! Measurements: [`discover`], and the query plane against bare quinn, in one run ([`run`]): what our frames, limits and
//! counters cost.
//!
//! Two server processes (this program again) echo on loopback: one is the query plane as miners run it, the other the least
//! that quinn can do, with the same TLS, a stream per request, on a single-threaded runtime. One client
//! asks both in turns, so that a busy machine slows both, and the *ratios* are what counts. Medians over rounds.

mod discovery;
mod failover;
mod finality;
mod kills;
mod load;
mod nervure_echo;
mod process;
mod quinn_echo;
mod report;
mod server;

use std::time::Duration;

use anyhow::Context;

pub(crate) use discovery::{Scale, discover};
pub(crate) use failover::{Failovers, Streams, failover};
pub(crate) use finality::finality;
pub(crate) use kills::{Kills, Plan, kills};
pub(crate) use report::Report;
pub(crate) use server::{ServeKind, serve};

use load::{Load, Subject};
use nervure_echo::NervureEcho;
use process::Server;
use quinn_echo::QuinnEcho;
use report::{Measured, Throughput};

/// Bytes of a question and of its answer.
const PAYLOAD: usize = 1024;

/// Questions in flight, for each of which throughput is measured.
const IN_FLIGHT: [usize; 4] = [1, 16, 64, 256];

/// Streams at once, and chunks of each, for the streaming part.
const STREAMS: usize = 64;
const CHUNKS: u32 = 200;

/// How much is measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Effort {
    /// Rounds; each asks both.
    pub rounds: usize,
    /// How long each throughput is measured in each round.
    pub time: Duration,
}

/// Measures both, telling `progress` how far it is. Blocks; to be called outside a runtime.
pub(crate) fn run(effort: Effort, progress: impl FnMut(&str) + Send + 'static) -> anyhow::Result<Report> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    // Work on a single-threaded runtime must not be spread: everything below shares this thread.
    runtime.block_on(measure(effort, progress))
}

async fn measure(effort: Effort, mut progress: impl FnMut(&str)) -> anyhow::Result<Report> {
    let ours = Server::start(ServeKind::Nervure)?;
    let bare = Server::start(ServeKind::Quinn)?;
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
    Ok(Report::new(effort, nervure.summary(ours), quinn.summary(bare)))
}

/// What one subject did, by round.
#[derive(Default)]
struct Samples {
    handshakes: Vec<Duration>,
    latencies: Vec<Duration>,
    throughput: [Vec<f64>; IN_FLIGHT.len()],
    streams: Vec<Duration>,
    cpu: Vec<f64>,
}

async fn one_round<S: Subject>(
    subject: &S,
    server: &Server,
    effort: Effort,
    samples: &mut Samples,
) -> anyhow::Result<()> {
    let load = Load::new(subject);
    samples.handshakes.extend(load.handshakes(20).await?);
    samples.latencies.extend(load.sequential(1000).await?);
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
    samples.streams.extend(load.streams(STREAMS, CHUNKS).await?);
    Ok(())
}

impl Samples {
    fn summary(mut self, rss: Option<u64>) -> Measured {
        let [t1, t16, t64, t256] = self.throughput.map(|mut rates| report::median(&mut rates));
        Measured {
            handshake_us: report::percentile(&mut self.handshakes, 50),
            latency_p50_us: report::percentile(&mut self.latencies, 50),
            latency_p95_us: report::percentile(&mut self.latencies, 95),
            latency_p99_us: report::percentile(&mut self.latencies, 99),
            per_second: Throughput { t1, t16, t64, t256 },
            stream_p50_us: report::percentile(&mut self.streams, 50),
            stream_p99_us: report::percentile(&mut self.streams, 99),
            cpu_us_per_query: (!self.cpu.is_empty()).then(|| report::median(&mut self.cpu)),
            server_rss_bytes: rss,
        }
    }
}
