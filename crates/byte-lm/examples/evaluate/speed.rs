//! The speed of one worker thread, measured as a node measures it: at the stream of an expert.

use std::fmt::Write;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use futures::StreamExt;
use futures::executor::block_on;
use nervure_byte_lm::builtin::{BUILTIN, Builtin};
use nervure_byte_lm::{ByteExpert, ServeOptions};
use nervure_experts::Expert;
use nervure_protocol::{ExpertEvent, ExpertRequest, Sampling};
use serde::Serialize;

/// Measured answers of each expert.
const ROUNDS: u64 = 7;
/// Bytes of each answer.
const ANSWER_BYTES: u32 = 1024;
/// Bytes of each prompt, which is held-out text.
const PROMPT_BYTES: usize = 256;

/// The speed of one expert's worker.
#[derive(Serialize)]
pub(crate) struct Speed {
    domain: &'static str,
    /// Bytes per second over complete answers, reading the prompt included; median of the rounds.
    median_bytes_per_second: f64,
    /// The same in the best round, which other processes disturbed least.
    best_bytes_per_second: f64,
    /// From the request to the first piece of text, in milliseconds; median of the rounds.
    median_first_piece_ms: f64,
}

/// One answer: bytes per second, and the time to its first piece.
struct Round {
    pace: f64,
    first: Duration,
}

pub(crate) fn measure() -> Result<Vec<Speed>> {
    BUILTIN.iter().map(measure_one).collect()
}

fn measure_one(builtin: &Builtin) -> Result<Speed> {
    let expert = ByteExpert::builtin(builtin, ServeOptions::default())?;
    let prompt = String::from_utf8_lossy(&crate::heldout(builtin.domain())?[..PROMPT_BYTES]).into_owned();
    // A warm-up round, which is not counted.
    block_on(round(&expert, &prompt, ROUNDS))?;
    let mut rounds =
        (0..ROUNDS).map(|seed| block_on(round(&expert, &prompt, seed))).collect::<Result<Vec<_>>>()?;
    let middle = rounds.len() / 2;
    rounds.sort_by_key(|round| round.first);
    let first = rounds[middle].first;
    rounds.sort_by(|a, b| a.pace.total_cmp(&b.pace));
    Ok(Speed {
        domain: builtin.domain(),
        median_bytes_per_second: rounds[middle].pace,
        best_bytes_per_second: rounds[rounds.len() - 1].pace,
        median_first_piece_ms: first.as_secs_f64() * 1000.0,
    })
}

async fn round(expert: &ByteExpert, prompt: &str, seed: u64) -> Result<Round> {
    let sampling = Sampling {
        max_tokens: ANSWER_BYTES,
        temperature_milli: 800,
        seed: Some(seed),
        ..Sampling::default()
    };
    let started = Instant::now();
    let mut stream = expert.run(ExpertRequest::Complete { prompt: prompt.to_owned(), sampling });
    let mut first = None;
    while let Some(event) = stream.next().await {
        match event? {
            ExpertEvent::Text(_) => _ = first.get_or_insert_with(|| started.elapsed()),
            ExpertEvent::Done { usage, .. } => {
                let pace = f64::from(usage.completion_tokens) / started.elapsed().as_secs_f64();
                return Ok(Round { pace, first: first.context("the answer has no text")? });
            }
            _ => {}
        }
    }
    anyhow::bail!("the answer stopped without an end")
}

pub(crate) fn markdown(speeds: &[Speed]) -> String {
    let mut out = String::from(
        "| expert | bytes/s, median | bytes/s, best | first piece, ms, median |\n| --- | --- | --- | --- |\n",
    );
    for speed in speeds {
        let _ = writeln!(
            out,
            "| {} | {:.0} | {:.0} | {:.1} |",
            speed.domain,
            speed.median_bytes_per_second,
            speed.best_bytes_per_second,
            speed.median_first_piece_ms
        );
    }
    out
}
