//! The figures of both servers, side by side.

use serde::Serialize;

use super::{IN_FLIGHT, PAYLOAD_BYTES, QueryEffort};

/// The figures of one server; times in microseconds.
#[derive(Clone, Debug, Serialize)]
pub struct QueryFigures {
    /// A new connection and one query, the median.
    pub handshake_us: f64,
    /// Sequential queries, median.
    pub latency_p50_us: f64,
    /// The same, 95th percentile.
    pub latency_p95_us: f64,
    /// The same, 99th percentile.
    pub latency_p99_us: f64,
    /// Throughput.
    pub per_second: Throughput,
    /// One of 64 concurrent answers of 200 chunks, median.
    pub stream_p50_us: f64,
    /// The same, 99th percentile.
    pub stream_p99_us: f64,
    /// Client and server together, at 64 in flight.
    pub cpu_us_per_query: Option<f64>,
    /// Resident memory of the server, if the system has `/proc`.
    pub server_rss_bytes: Option<u64>,
}

/// Queries per second, by how many are in flight.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Throughput {
    /// With 1 in flight.
    #[serde(rename = "1")]
    pub t1: f64,
    /// With 16 in flight.
    #[serde(rename = "16")]
    pub t16: f64,
    /// With 64 in flight.
    #[serde(rename = "64")]
    pub t64: f64,
    /// With 256 in flight.
    #[serde(rename = "256")]
    pub t256: f64,
}

/// The query plane's figures over bare quinn's. Above 1 is better for throughput, worse for the rest.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Ratio {
    /// Queries per second with 1 in flight.
    pub throughput_1: f64,
    /// With 16 in flight.
    pub throughput_16: f64,
    /// With 64 in flight.
    pub throughput_64: f64,
    /// With 256 in flight.
    pub throughput_256: f64,
    /// Median latency of sequential queries.
    pub latency_p50: f64,
    /// 99th percentile of the streams.
    pub stream_p99: f64,
    /// CPU time per query, of client and server.
    pub cpu: Option<f64>,
}

/// The figures of both servers, and their ratios.
#[derive(Clone, Debug, Serialize)]
pub struct QueryReport {
    /// Bytes of a query and of its answer.
    pub payload_bytes: usize,
    /// Rounds; the figures are medians over them.
    pub rounds: usize,
    /// Cores of this machine.
    pub cores: usize,
    /// The query plane.
    pub nervure: QueryFigures,
    /// Bare quinn.
    pub quinn: QueryFigures,
    /// The query plane's figures over bare quinn's.
    pub ratio: Ratio,
}

impl QueryReport {
    /// Puts them side by side.
    pub(crate) fn new(effort: QueryEffort, nervure: QueryFigures, quinn: QueryFigures) -> Self {
        let (ours, bare) = (&nervure.per_second, &quinn.per_second);
        let ratio = Ratio {
            throughput_1: ours.t1 / bare.t1,
            throughput_16: ours.t16 / bare.t16,
            throughput_64: ours.t64 / bare.t64,
            throughput_256: ours.t256 / bare.t256,
            latency_p50: nervure.latency_p50_us / quinn.latency_p50_us,
            stream_p99: nervure.stream_p99_us / quinn.stream_p99_us,
            cpu: nervure.cpu_us_per_query.zip(quinn.cpu_us_per_query).map(|(ours, bare)| ours / bare),
        };
        let cores = std::thread::available_parallelism().map_or(0, usize::from);
        Self { payload_bytes: PAYLOAD_BYTES, rounds: effort.rounds, cores, nervure, quinn, ratio }
    }

    /// Rows of a table: figure, query plane, bare quinn, ratio.
    pub fn rows(&self) -> Vec<[String; 4]> {
        let (ours, bare) = (&self.nervure, &self.quinn);
        let row = |what: &str, ours: f64, bare: f64| {
            [what.to_owned(), format!("{ours:.0}"), format!("{bare:.0}"), format!("{:.2}", ours / bare)]
        };
        let rates = |t: Throughput| [t.t1, t.t16, t.t64, t.t256];
        let mut rows = vec![
            row("handshake and one query, us", ours.handshake_us, bare.handshake_us),
            row("latency p50, us", ours.latency_p50_us, bare.latency_p50_us),
            row("latency p95, us", ours.latency_p95_us, bare.latency_p95_us),
            row("latency p99, us", ours.latency_p99_us, bare.latency_p99_us),
        ];
        for ((n, a), b) in IN_FLIGHT.iter().zip(rates(ours.per_second)).zip(rates(bare.per_second)) {
            rows.push(row(&format!("per second, {n} in flight"), a, b));
        }
        rows.push(row("64 streams of 200 chunks, p50, us", ours.stream_p50_us, bare.stream_p50_us));
        rows.push(row("64 streams of 200 chunks, p99, us", ours.stream_p99_us, bare.stream_p99_us));
        if let (Some(a), Some(b)) = (ours.cpu_us_per_query, bare.cpu_us_per_query) {
            let texts = [a, b, a / b].map(|value| format!("{value:.2}"));
            let [a, b, ratio] = texts;
            rows.push(["CPU per query (both sides), us".into(), a, b, ratio]);
        }
        if let (Some(a), Some(b)) = (ours.server_rss_bytes, bare.server_rss_bytes) {
            rows.push(row("memory of the server, MiB", a as f64 / 1_048_576.0, b as f64 / 1_048_576.0));
        }
        rows
    }
}
