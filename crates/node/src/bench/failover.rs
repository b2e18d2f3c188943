//! Miners that die while they stream: does the client notice?
//!
//! A testnet of its own, whose miners all serve the same model. Streams with seeds of their own run side by side, and again
//! and again the miner that is busiest is killed (`kill -9`) and started again. What every stream should say is
//! computed here, by the model itself: a byte that is missing, repeated or another is found.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::Context;
use futures::StreamExt;
use nervure_byte_lm::{ByteExpert, ServeOptions, builtin};
use nervure_experts::{Expert, ExpertEvent, ExpertRequest, Sampling};
use nervure_testnet::{Layout, NodeFile, Shape, Silent, UpOptions, entry, kill, start, up};
use serde::Serialize;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::report::percentile;
use crate::{
    gateway::{AskBody, AskLine, QueryTerms},
    local::LocalNode,
    service::QueryTarget,
};

/// What all miners serve.
const MODEL: &str = "rust";

/// Seeds of the streams, again and again: each text is computed once.
const SEEDS: u32 = 10;

/// How long the testnet may take to begin.
const PATIENCE: Duration = Duration::from_secs(90);

/// What is to be done.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Streams {
    /// Streams in all.
    pub streams: u32,
    /// How many at once.
    pub parallel: u32,
    /// Miners.
    pub miners: u32,
    /// Bytes of each.
    pub bytes: u32,
    /// Between a miner's return and the next kill.
    pub pause: Duration,
}

/// What happened.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Failovers {
    pub streams: u32,
    /// Streams that came to their end.
    pub whole: u32,
    /// Those that said exactly what the model says.
    pub identical: u32,
    /// Miners killed.
    pub kills: u32,
    /// Times that another miner went on with a stream.
    pub took_over: u32,
    /// Longest silence within each stream with a takeover, in milliseconds.
    pub silence_p50_ms: f64,
    pub silence_worst_ms: f64,
    /// What went wrong, of the streams that did.
    pub complaints: Vec<String>,
}

/// One stream.
#[derive(Debug, Default)]
struct Came {
    text: String,
    whole: bool,
    took_over: u32,
    silence: Duration,
    error: Option<String>,
}

/// Streams and kills, telling `progress` how far it is.
pub(crate) async fn failover(plan: Streams, mut progress: impl FnMut(&str)) -> anyhow::Result<Failovers> {
    progress("what every stream should say");
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
        timeout: PATIENCE,
    };
    let testnet = up(&options, &CancellationToken::new(), &mut Silent).await?;
    let outcome = run(plan, &options, expected, &mut progress).await;
    testnet.stop(&CancellationToken::new(), &mut Silent).await?;
    outcome
}

async fn run(
    plan: Streams,
    options: &UpOptions,
    expected: Arc<Vec<String>>,
    progress: &mut impl FnMut(&str),
) -> anyhow::Result<Failovers> {
    let gateway = entry(&options.dir)?.http;
    let (next, done) = (Arc::new(AtomicU32::new(0)), Arc::new(Mutex::new(Vec::<(u32, Came)>::new())));
    let mut askers = JoinSet::new();
    for _ in 0..plan.parallel {
        askers.spawn(ask_on(plan, gateway, next.clone(), done.clone()));
    }
    let over = CancellationToken::new();
    let killing = {
        let (dir, binary, over) = (options.dir.clone(), options.binary.clone(), over.clone());
        tokio::spawn(async move { kill_on(plan, dir, binary, over).await })
    };
    let mut told = 0;
    while !askers.is_empty() {
        tokio::select! {
            asker = askers.join_next() => { asker.transpose()?.transpose()?; }
            () = tokio::time::sleep(Duration::from_secs(1)) => {}
        }
        let count = lock(&done).len();
        if count >= told + 100 {
            progress(&format!("{count} of {} streams", plan.streams));
            told = count;
        }
    }
    over.cancel();
    let kills = killing.await??;
    let came = std::mem::take(&mut *lock(&done));
    Ok(judge(kills, came, &expected))
}

fn judge(kills: u32, came: Vec<(u32, Came)>, expected: &[String]) -> Failovers {
    let mut seen = Failovers { streams: came.len() as u32, kills, ..Failovers::default() };
    let mut silences = Vec::new();
    for (number, came) in came {
        let same = came.text == expected[(number % SEEDS) as usize];
        seen.whole += u32::from(came.whole);
        seen.identical += u32::from(same && came.whole);
        seen.took_over += came.took_over;
        if came.took_over > 0 {
            silences.push(came.silence);
        }
        match came.error {
            Some(error) => seen.complaints.push(format!("stream {number}: {error}")),
            None if !same => seen.complaints.push(format!("stream {number} says something else")),
            None => {}
        }
    }
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    seen.silence_worst_ms = silences.iter().max().copied().map_or(0.0, ms);
    if !silences.is_empty() {
        seen.silence_p50_ms = percentile(&mut silences, 50) / 1e3;
    }
    seen
}

/// What the model says, by seed.
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

/// Asks one stream after the other until there are enough.
async fn ask_on(
    plan: Streams,
    gateway: SocketAddr,
    next: Arc<AtomicU32>,
    done: Arc<Mutex<Vec<(u32, Came)>>>,
) -> anyhow::Result<()> {
    let node = LocalNode::at(gateway)?;
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        if number >= plan.streams {
            return Ok(());
        }
        let came = stream(&node, request(number, plan.bytes)).await?;
        lock(&done).push((number, came));
    }
}

async fn stream(node: &LocalNode, request: ExpertRequest) -> anyhow::Result<Came> {
    let terms = QueryTerms { deadline_ms: Some(120_000), ..QueryTerms::default() };
    let target = QueryTarget::Capability(format!("text.generate.{MODEL}").parse()?);
    let body = AskBody { target, request, terms, explain: false, receipt: false };
    let mut came = Came::default();
    let mut lines = loop {
        match node.ask(&body).await {
            Ok(lines) => break lines,
            // All miners have as much as they take: that is said before a stream begins, with when to come again.
            Err(error) => match error.retry_after() {
                Some(wait) => tokio::time::sleep(wait).await,
                None => {
                    came.error = Some(format!("not begun: {error}"));
                    return Ok(came);
                }
            },
        }
    };
    let mut last = Instant::now();
    loop {
        match lines.next().await {
            Ok(Some(AskLine::Text { text })) => {
                came.silence = came.silence.max(last.elapsed());
                last = Instant::now();
                came.text.push_str(&text);
            }
            Ok(Some(AskLine::TookOver { .. })) => came.took_over += 1,
            Ok(Some(AskLine::Done { .. })) => came.whole = true,
            Ok(Some(AskLine::Error { error })) => came.error = Some(error.message),
            Ok(Some(_)) => {}
            Ok(None) => return Ok(came),
            Err(error) => {
                came.error = Some(error.to_string());
                return Ok(came);
            }
        }
    }
}

/// Kills the busiest miner, each time when the last one runs again, so that only one is missing at a time.
async fn kill_on(
    plan: Streams,
    dir: PathBuf,
    binary: PathBuf,
    over: CancellationToken,
) -> anyhow::Result<u32> {
    let mut kills = 0;
    while over.run_until_cancelled(tokio::time::sleep(plan.pause)).await.is_some() {
        let mut busiest = (0, String::new());
        for number in 1..=plan.miners {
            let name = format!("miner-{number}");
            busiest = busiest.max((in_progress(&dir, &name).await, name));
        }
        let (_, name) = busiest;
        kill(&dir, &name).await?;
        kills += 1;
        start(&dir, &name, &binary).await?;
    }
    Ok(kills)
}

/// Questions that a miner works on, as its metrics say; 0 when it says nothing.
async fn in_progress(dir: &Path, name: &str) -> u64 {
    let read = async {
        let file = NodeFile::read(Layout::new(dir).node(name).dir()).ok()??;
        let text = reqwest::get(format!("http://{}/metrics", file.http)).await.ok()?.text().await.ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix("nervure_queries_in_progress "))?;
        line.trim().parse().ok()
    };
    read.await.unwrap_or(0)
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
