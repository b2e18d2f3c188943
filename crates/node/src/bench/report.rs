//! What was measured, side by side.

use std::time::Duration;

use serde::Serialize;

use super::{Effort, IN_FLIGHT, PAYLOAD};

/// One subject's figures; times in microseconds.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Measured {
    /// A new connection and one question.
    pub handshake_us: f64,
    pub latency_p50_us: f64,
    pub latency_p95_us: f64,
    pub latency_p99_us: f64,
    pub per_second: Throughput,
    /// One of 64 concurrent answers of 200 chunks.
    pub stream_p50_us: f64,
    pub stream_p99_us: f64,
    /// Client and server together, at 64 in flight.
    pub cpu_us_per_query: Option<f64>,
    pub server_rss_bytes: Option<u64>,
}

/// Questions per second, by how many are in flight.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Throughput {
    #[serde(rename = "1")]
    pub t1: f64,
    #[serde(rename = "16")]
    pub t16: f64,
    #[serde(rename = "64")]
    pub t64: f64,
    #[serde(rename = "256")]
    pub t256: f64,
}

/// The query plane's figures over bare quinn's. Above 1 is better for throughput, worse for the rest.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Ratio {
    pub throughput_1: f64,
    pub throughput_16: f64,
    pub throughput_64: f64,
    pub throughput_256: f64,
    pub latency_p50: f64,
    pub stream_p99: f64,
    pub cpu: Option<f64>,
}

/// Both, and their ratios.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Report {
    pub payload_bytes: usize,
    pub rounds: usize,
    pub cores: usize,
    pub nervure: Measured,
    pub quinn: Measured,
    pub ratio: Ratio,
}

impl Report {
    /// Puts them side by side.
    pub(crate) fn new(effort: Effort, nervure: Measured, quinn: Measured) -> Self {
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
        Self { payload_bytes: PAYLOAD, rounds: effort.rounds, cores, nervure, quinn, ratio }
    }

    /// Rows for people: what, ours, bare quinn, ratio.
    pub(crate) fn rows(&self) -> Vec<[String; 4]> {
        let (ours, bare) = (&self.nervure, &self.quinn);
        let row = |what: &str, ours: f64, bare: f64| {
            [what.to_owned(), format!("{ours:.0}"), format!("{bare:.0}"), format!("{:.2}", ours / bare)]
        };
        let rates = |t: Throughput| [t.t1, t.t16, t.t64, t.t256];
        let mut rows = vec![
            row("handshake and one question, us", ours.handshake_us, bare.handshake_us),
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
            rows.push(["CPU per question (both sides), us".into(), a, b, ratio]);
        }
        if let (Some(a), Some(b)) = (ours.server_rss_bytes, bare.server_rss_bytes) {
            rows.push(row("memory of the server, MiB", a as f64 / 1_048_576.0, b as f64 / 1_048_576.0));
        }
        rows
    }
}

/// The middle of `values`; 0 without any.
pub(crate) fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

/// The time that `percent` of `times` are within, in microseconds; 0 without any.
pub(crate) fn percentile(times: &mut [Duration], percent: usize) -> f64 {
    times.sort();
    let at = (times.len() * percent / 100).min(times.len().saturating_sub(1));
    times.get(at).map_or(0.0, |time| time.as_secs_f64() * 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_of_a_hundred_and_of_none() {
        let mut times: Vec<_> = (1..=100).map(Duration::from_micros).collect();
        assert_eq!(percentile(&mut times, 50).round(), 51.0);
        assert_eq!(percentile(&mut times, 99).round(), 100.0);
        assert_eq!(percentile(&mut [], 50), 0.0);
        assert_eq!(median(&mut [3.0, 1.0, 2.0]), 2.0);
    }
}
