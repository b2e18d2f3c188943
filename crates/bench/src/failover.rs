//! Miners that are killed while they stream: does the client notice?
//!
//! The measurement starts its own testnet, whose miners all serve the same model. Streams with different seeds run side by
//! side while the busiest miner is killed (`kill -9`) and restarted over and over. The expected text of every stream is
//! computed here with the same model, so that a missing, repeated or different byte is found.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::Context;
use futures::StreamExt;
use nervure_api::{AskBody, AskLine, AskLines, Client, QueryTarget, QueryTerms};
use nervure_byte_lm::{ByteExpert, ServeOptions, builtin};
use nervure_experts::Expert;
use nervure_protocol::{ExpertEvent, ExpertRequest, Sampling};
use nervure_testnet::{Layout, NodeFile, Shape, Silent, UpOptions, entry, kill, start, up};
use parking_lot::Mutex;
use serde::Serialize;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::stats::percentile_ms;

/// The built-in model that all miners serve.
const MODEL: &str = "rust";

/// Different seeds; stream N has seed N modulo this. The text of each is computed once.
const SEEDS: u32 = 10;

/// How long the testnet may take to start.
const START_TIMEOUT: Duration = Duration::from_secs(90);

/// How long a stream may take, failovers included, in milliseconds.
const STREAM_TIMEOUT_MS: u64 = 120_000;

/// The wait between two looks at miners that all have nothing to do.
const IDLE_POLL: Duration = Duration::from_millis(20);

/// How much is measured.
#[derive(Clone, Copy, Debug)]
pub struct FailoverPlan {
    /// Number of streams.
    pub streams: u32,
    /// Concurrent streams.
    pub parallel: u32,
    /// Miners.
    pub miners: u32,
    /// Bytes of each stream.
    pub bytes: u32,
    /// Pause between a miner's restart and the next kill.
    pub pause: Duration,
}

/// The results of all streams.
#[derive(Clone, Debug, Default, Serialize)]
pub struct FailoverReport {
    /// Number of streams.
    pub streams: u32,
    /// Streams that ended as they should.
    pub completed: u32,
    /// Completed streams whose text is exactly the model's.
    pub identical: u32,
    /// Miners killed.
    pub kills: u32,
    /// Times that another miner continued a stream.
    pub takeovers: u32,
    /// The longest pause within each stream with a takeover, median.
    pub pause_p50_ms: f64,
    /// The longest of all.
    pub pause_worst_ms: f64,
    /// The faults.
    pub complaints: Vec<String>,
}

/// The result of one stream.
#[derive(Debug, Default)]
struct StreamResult {
    text: String,
    completed: bool,
    takeovers: u32,
    longest_pause: Duration,
    error: Option<String>,
}

/// Streams and kills, and reports to `progress`.
///
/// # Errors
/// If the testnet does not start or a miner does not restart. A faulty stream is not an error but a complaint.
pub async fn failover(plan: FailoverPlan, mut progress: impl FnMut(&str)) -> anyhow::Result<FailoverReport> {
    progress("computing the expected texts");
    let expected = Arc::new(expected(plan.bytes).await?);
    let home = tempfile::tempdir().context("cannot make a directory for the testnet")?;
    let shape = Shape { validators: 1, miners: plan.miners as usize, gateways: 1 };
    let options = UpOptions {
        dir: home.path().join("testnet"),
        binary: std::env::current_exe()?,
        name: "failover".into(),
        shape,
        experts: vec![format!("builtin:{MODEL}")],
        upstream: None,
        record_expiry_seconds: None,
        block_milliseconds: None,
        chain: None,
        detach: false,
        resume: false,
        timeout: START_TIMEOUT,
    };
    let testnet = up(&options, &CancellationToken::new(), &mut Silent).await?;
    let outcome = run(plan, &options, expected, &mut progress).await;
    testnet.stop(&CancellationToken::new(), &mut Silent).await?;
    outcome
}

async fn run(
    plan: FailoverPlan,
    options: &UpOptions,
    expected: Arc<Vec<String>>,
    progress: &mut impl FnMut(&str),
) -> anyhow::Result<FailoverReport> {
    let gateway = entry(&options.dir)?.http;
    let (next, done) = (Arc::new(AtomicU32::new(0)), Arc::new(Mutex::new(Vec::<(u32, StreamResult)>::new())));
    let mut askers = JoinSet::new();
    for _ in 0..plan.parallel {
        askers.spawn(stream_until_done(plan, gateway, next.clone(), done.clone()));
    }
    let over = CancellationToken::new();
    let killing = {
        let (dir, binary, over) = (options.dir.clone(), options.binary.clone(), over.clone());
        tokio::spawn(async move { kill_until(plan, dir, binary, over).await })
    };
    let mut reported = 0;
    while !askers.is_empty() {
        tokio::select! {
            asker = askers.join_next() => { asker.transpose()?.transpose()?; }
            () = tokio::time::sleep(Duration::from_secs(1)) => {}
        }
        let count = done.lock().len();
        if count >= reported + 100 {
            progress(&format!("{count} of {} streams", plan.streams));
            reported = count;
        }
    }
    over.cancel();
    let kills = killing.await??;
    let results = std::mem::take(&mut *done.lock());
    Ok(summary(kills, results, &expected))
}

fn summary(kills: u32, results: Vec<(u32, StreamResult)>, expected: &[String]) -> FailoverReport {
    let mut report = FailoverReport { streams: results.len() as u32, kills, ..FailoverReport::default() };
    let mut pauses = Vec::new();
    for (number, result) in results {
        let same = result.text == expected[(number % SEEDS) as usize];
        report.completed += u32::from(result.completed);
        report.identical += u32::from(same && result.completed);
        report.takeovers += result.takeovers;
        if result.takeovers > 0 {
            pauses.push(result.longest_pause);
        }
        match result.error {
            Some(error) => report.complaints.push(format!("stream {number}: {error}")),
            None if !same => {
                report.complaints.push(format!("the text of stream {number} differs from the model's"))
            }
            None => {}
        }
    }
    report.pause_p50_ms = percentile_ms(&mut pauses, 50);
    report.pause_worst_ms = percentile_ms(&mut pauses, 100);
    report
}

/// The model's text for each seed.
async fn expected(bytes: u32) -> anyhow::Result<Vec<String>> {
    let model = builtin::find(MODEL).context("the model is not built in")?;
    let expert = ByteExpert::builtin(model, ServeOptions::default())?;
    let mut texts = Vec::new();
    for seed in 0..SEEDS {
        let mut text = String::new();
        let mut events = expert.run(request(seed, bytes));
        while let Some(event) = events.next().await {
            if let ExpertEvent::Text(piece) = event? {
                text.push_str(&piece);
            }
        }
        texts.push(text);
    }
    Ok(texts)
}

fn request(number: u32, bytes: u32) -> ExpertRequest {
    let sampling = Sampling { max_tokens: bytes, seed: Some((number % SEEDS).into()), ..Sampling::default() };
    ExpertRequest::Complete { prompt: "pub fn ".into(), sampling }
}

/// Opens one stream after the other until there are enough.
async fn stream_until_done(
    plan: FailoverPlan,
    gateway: SocketAddr,
    next: Arc<AtomicU32>,
    done: Arc<Mutex<Vec<(u32, StreamResult)>>>,
) -> anyhow::Result<()> {
    let client = Client::new(gateway)?;
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        if number >= plan.streams {
            return Ok(());
        }
        let result = stream(&client, request(number, plan.bytes)).await?;
        done.lock().push((number, result));
    }
}

async fn stream(client: &Client, request: ExpertRequest) -> anyhow::Result<StreamResult> {
    let terms = QueryTerms { deadline_ms: Some(STREAM_TIMEOUT_MS), ..QueryTerms::default() };
    let target = QueryTarget::Capability(format!("text.generate.{MODEL}").parse()?);
    let body = AskBody { target, request, terms, explain: false, receipt: false };
    let mut result = StreamResult::default();
    loop {
        match client.ask(&body).await {
            Ok(lines) => {
                read(lines, &mut result).await;
                return Ok(result);
            }
            // All miners are busy: the gateway says so before a stream begins, with the time to retry.
            Err(error) => match error.retry_after() {
                Some(wait) => tokio::time::sleep(wait).await,
                None => {
                    result.error = Some(format!("not begun: {error}"));
                    return Ok(result);
                }
            },
        }
    }
}

/// Reads a stream to its end.
async fn read(mut lines: AskLines, result: &mut StreamResult) {
    let mut last = Instant::now();
    loop {
        match lines.next().await {
            Ok(Some(AskLine::Text { text })) => {
                result.longest_pause = result.longest_pause.max(last.elapsed());
                last = Instant::now();
                result.text.push_str(&text);
            }
            Ok(Some(AskLine::Takeover { .. })) => result.takeovers += 1,
            Ok(Some(AskLine::Done { .. })) => result.completed = true,
            Ok(Some(AskLine::Error { error })) => result.error = Some(error.message),
            Ok(Some(_)) => {}
            Ok(None) => return,
            Err(error) => {
                result.error = Some(error.to_string());
                return;
            }
        }
    }
}

/// Kills the busiest miner and restarts it, until `over`: only one miner is missing at a time. The first kill comes as
/// soon as a miner works, and each later one at the end of the pause as soon as one does: on a fast machine a fixed wait
/// before the first kill outlasts a short plan.
async fn kill_until(
    plan: FailoverPlan,
    dir: PathBuf,
    binary: PathBuf,
    over: CancellationToken,
) -> anyhow::Result<u32> {
    let mut kills = 0;
    while let Some(name) = over.run_until_cancelled(busiest(&dir, plan.miners)).await {
        kill(&dir, &name).await?;
        kills += 1;
        start(&dir, &name, &binary).await?;
        if over.run_until_cancelled(tokio::time::sleep(plan.pause)).await.is_none() {
            break;
        }
    }
    Ok(kills)
}

/// The miner with the most queries in progress; waits until one has any.
async fn busiest(dir: &Path, miners: u32) -> String {
    loop {
        let mut busiest = (0, String::new());
        for number in 1..=miners {
            let name = format!("miner-{number}");
            busiest = busiest.max((in_progress(dir, &name).await, name));
        }
        if busiest.0 > 0 {
            return busiest.1;
        }
        tokio::time::sleep(IDLE_POLL).await;
    }
}

/// Queries that a miner is working on, by its metrics; 0 when it does not answer.
async fn in_progress(dir: &Path, name: &str) -> u64 {
    let read = async {
        let file = NodeFile::read(Layout::new(dir).node(name).dir()).ok()??;
        let text = reqwest::get(format!("http://{}/metrics", file.http)).await.ok()?.text().await.ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix("nervure_queries_in_progress "))?;
        line.trim().parse().ok()
    };
    read.await.unwrap_or(0)
}
