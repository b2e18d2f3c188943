//! Validators that are killed: a soak test of crashes.
//!
//! The measurement starts its own testnet and kills validators, at fail points and at random moments, and restarts them at
//! once, while it watches the whole chain. Every block that any node ever reported as final is remembered; in the end every
//! node must have it. A node is *back in service* when others hold its signature for a block whose height had not begun
//! when it was restarted. A fault does not stop the run but is listed, so that one run shows all of them.

mod verdict;
mod watch;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::Context;
use nervure_primitives::NodeId;
use nervure_store::fail_point::{self, Point};
use nervure_testnet::{Layout, Shape, Silent, State, TestnetError, UpOptions, kill, start_with, up};
use rand::{Rng, SeedableRng, rngs::StdRng, seq::IndexedRandom};
use serde::Serialize;
use tokio::{sync::watch as channel, task::JoinSet};
use tokio_util::sync::CancellationToken;

use crate::stats::percentile_ms;
use verdict::{Observations, complaints};

/// Validators: the fewest of which one may be missing.
const VALIDATORS: usize = 4;

/// How long a step may take before the run is given up. Not a measurement.
const STEP_TIMEOUT: Duration = Duration::from_secs(90);

/// How often a node is asked.
const POLL_INTERVAL: Duration = Duration::from_millis(25);

/// Longest pause before random kills, in milliseconds: longer than a height, so that a kill hits any moment of it.
const MAX_PAUSE_MS: u64 = 1_500;

/// How much is killed.
#[derive(Clone, Copy, Debug)]
pub struct KillsPlan {
    /// Kills at random moments.
    pub kills: u32,
    /// How often one validator is killed at every fail point in turn.
    pub sweeps: u32,
    /// Seed of all random choices.
    pub seed: u64,
    /// Milliseconds from one block to the next.
    pub block_milliseconds: u32,
}

/// What the kills did.
#[derive(Clone, Debug, Serialize)]
pub struct KillsReport {
    /// Seed of all random choices.
    pub seed: u64,
    /// Validators of the testnet.
    pub validators: usize,
    /// Kills at random moments.
    pub random: u32,
    /// Deaths at each fail point.
    pub at_fail_points: BTreeMap<String, u32>,
    /// Restarts after kills of both kinds.
    pub restarts: u32,
    /// From the start of the process until others hold its signature for a block whose height began after that, median.
    pub back_p50_ms: f64,
    /// The same, 95th percentile.
    pub back_p95_ms: f64,
    /// The longest.
    pub back_worst_ms: f64,
    /// The longest of those restarts for which the other validators had two thirds of the power.
    pub back_alone_worst_ms: f64,
    /// Final blocks that were compared, on every node.
    pub heights: u64,
    /// Final blocks that were lost or replaced, contradictions, and nodes that gave up.
    pub complaints: Vec<String>,
}

/// Kills and restarts, and reports to `progress`.
///
/// # Errors
/// If the testnet does not start or a step takes too long. A lost block is not an error but a complaint.
pub async fn kills(plan: KillsPlan, mut progress: impl FnMut(&str)) -> anyhow::Result<KillsReport> {
    anyhow::ensure!(
        plan.sweeps == 0 || fail_point::ENABLED,
        "this program was built without fail points\nuse --sweeps 0, or build it with them: cargo run -p nervure \
         --features fail-points -- bench kills"
    );
    let home = tempfile::tempdir().context("cannot make a directory for the testnet")?;
    let options = UpOptions {
        dir: home.path().join("testnet"),
        binary: std::env::current_exe()?,
        name: "soak".into(),
        shape: Shape { validators: VALIDATORS, miners: 0, gateways: 0 },
        experts: Vec::new(),
        upstream: None,
        chain: None,
        record_expiry_seconds: None,
        block_milliseconds: Some(plan.block_milliseconds),
        detach: false,
        resume: false,
        timeout: STEP_TIMEOUT,
    };
    let testnet = up(&options, &CancellationToken::new(), &mut Silent).await?;
    let mut soak = Soak::new(&options.dir, plan.seed)?;
    let outcome = soak.run(plan, &mut progress).await;
    let kept = outcome.is_err() || !soak.figures.complaints.is_empty();
    testnet.stop(&CancellationToken::new(), &mut Silent).await?;
    if kept {
        let place = home.keep();
        progress(&format!("the nodes' logs stay in {}", place.display()));
    }
    outcome?;
    Ok(soak.figures)
}

/// A run in progress.
struct Soak {
    dir: PathBuf,
    names: Vec<String>,
    ids: BTreeMap<String, NodeId>,
    rng: StdRng,
    seen: channel::Receiver<Observations>,
    _watchers: JoinSet<()>,
    back: Vec<Duration>,
    back_alone: Vec<Duration>,
    figures: KillsReport,
}

impl Soak {
    fn new(dir: &Path, seed: u64) -> anyhow::Result<Self> {
        let names: Vec<_> = (1..=VALIDATORS).map(|number| format!("validator-{number}")).collect();
        let layout = Layout::new(dir);
        let nodes = names.iter().map(|name| (name.clone(), layout.node(name).dir().to_owned()));
        let (watchers, seen) = watch::all(nodes);
        let state = State::load(&layout)?;
        let ids = state.nodes.iter().map(|node| (node.name.clone(), node.node)).collect();
        Ok(Self {
            dir: dir.into(),
            names,
            ids,
            rng: StdRng::seed_from_u64(seed),
            seen,
            _watchers: watchers,
            back: Vec::new(),
            back_alone: Vec::new(),
            figures: KillsReport {
                seed,
                validators: VALIDATORS,
                random: 0,
                at_fail_points: BTreeMap::new(),
                restarts: 0,
                back_p50_ms: 0.0,
                back_p95_ms: 0.0,
                back_worst_ms: 0.0,
                back_alone_worst_ms: 0.0,
                heights: 0,
                complaints: Vec::new(),
            },
        })
    }

    async fn run(&mut self, plan: KillsPlan, progress: &mut impl FnMut(&str)) -> anyhow::Result<()> {
        self.signing(&self.names.clone(), 1).await?;
        for sweep in 0..plan.sweeps {
            let victim = (plan.seed as usize).wrapping_add(sweep as usize) % self.names.len();
            let victim = self.names[victim].clone();
            progress(&format!("fail points of {victim}, {} of {}", sweep + 1, plan.sweeps));
            self.sweep(&victim, progress).await?;
        }
        while self.figures.random < plan.kills {
            self.kill_random(plan.kills - self.figures.random).await?;
            progress(&format!("{} of {} random kills", self.figures.random, plan.kills));
        }
        self.finish().await
    }

    /// Kills `victim` at one fail point after the other.
    async fn sweep(&mut self, victim: &str, progress: &mut impl FnMut(&str)) -> anyhow::Result<()> {
        kill(&self.dir, victim).await?;
        for point in Point::ALL {
            let times = self.rng.random_range(0..=passes(point));
            let armed = format!("{point:?}:{times}");
            let target = self.next_height();
            let began = Instant::now();
            let variables = [("NERVURE_FAIL_POINT", armed.clone())];
            match start_with(&self.dir, victim, &std::env::current_exe()?, &variables).await {
                Ok(_) | Err(TestnetError::NodeEnded { .. }) => {}
                Err(error) => return Err(error).with_context(|| format!("start {victim} for {armed}")),
            }
            self.figures.restarts += 1;
            let mut served = None;
            while State::load(&Layout::new(&self.dir))?.node(victim)?.alive().is_some() {
                anyhow::ensure!(
                    began.elapsed() < STEP_TIMEOUT,
                    "{victim} did not reach the fail point {armed}"
                );
                if served.is_none() && self.signs(victim, target) {
                    served = Some(began.elapsed());
                }
                tokio::time::sleep(POLL_INTERVAL).await;
            }
            progress(&format!(
                "{armed}: died after {} ms, in service {}",
                began.elapsed().as_millis(),
                served.map_or("not reached".into(), |served: Duration| format!(
                    "after {} ms",
                    served.as_millis()
                ))
            ));
            *self.figures.at_fail_points.entry(format!("{point:?}")).or_default() += 1;
            self.back.extend(served);
            self.back_alone.extend(served);
        }
        self.restart(&[victim.to_owned()]).await
    }

    /// Kills one or several at a random moment and restarts them.
    async fn kill_random(&mut self, max: u32) -> anyhow::Result<()> {
        // Mostly one, which the quorum can miss; sometimes several, rarely all.
        let count =
            [1, 1, 1, 1, 1, 1, 2, 2, 3, 4].choose(&mut self.rng).copied().unwrap_or(1).min(max as usize);
        let victims: Vec<_> = self.names.choose_multiple(&mut self.rng, count).cloned().collect();
        tokio::time::sleep(Duration::from_millis(self.rng.random_range(0..MAX_PAUSE_MS))).await;
        for victim in &victims {
            kill(&self.dir, victim).await?;
            self.figures.random += 1;
        }
        self.restart(&victims).await
    }

    /// Restarts `victims`, and waits until all of them sign.
    async fn restart(&mut self, victims: &[String]) -> anyhow::Result<()> {
        let target = self.next_height();
        let began = Instant::now();
        let binary = std::env::current_exe()?;
        let mut starts = JoinSet::new();
        for victim in victims {
            let (dir, victim, binary) = (self.dir.clone(), victim.clone(), binary.clone());
            starts.spawn(async move { start_with(&dir, &victim, &binary, &[]).await });
        }
        self.figures.restarts += victims.len() as u32;
        let times = {
            let mut wait = std::pin::pin!(self.signing_since(victims, target, began));
            loop {
                tokio::select! {
                    times = &mut wait => break times?,
                    Some(started) = starts.join_next() => drop(started??),
                }
            }
        };
        if victims.len() == 1 {
            self.back_alone.extend(&times);
        }
        self.back.extend(times);
        Ok(())
    }

    /// A height that has not begun, so that no dead validator has signed for it.
    fn next_height(&self) -> u64 {
        self.seen.borrow().highest() + 2
    }

    fn signs(&self, name: &str, target: u64) -> bool {
        let seen = self.seen.borrow();
        self.ids.get(name).and_then(|id| seen.signed(id)).is_some_and(|height| height >= target)
    }

    async fn signing(&self, names: &[String], target: u64) -> anyhow::Result<()> {
        self.signing_since(names, target, Instant::now()).await.map(drop)
    }

    /// Waits until all of `names` sign at `target` or above; after how long each did.
    async fn signing_since(
        &self,
        names: &[String],
        target: u64,
        began: Instant,
    ) -> anyhow::Result<Vec<Duration>> {
        let mut times: BTreeMap<&String, Duration> = BTreeMap::new();
        while times.len() < names.len() {
            for name in names {
                if self.signs(name, target) {
                    times.entry(name).or_insert_with(|| began.elapsed());
                }
            }
            let missing = names.iter().find(|name| !times.contains_key(name));
            if let Some(missing) = missing {
                anyhow::ensure!(began.elapsed() < STEP_TIMEOUT, "{missing} does not sign at height {target}");
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
        Ok(times.into_values().collect())
    }

    /// Compares the chains of all nodes with every block that was ever final, and searches the logs.
    async fn finish(&mut self) -> anyhow::Result<()> {
        let height = self.next_height();
        self.signing(&self.names.clone(), height).await?;
        let upto = self.seen.borrow().highest();
        let mut chains = BTreeMap::new();
        let layout = Layout::new(&self.dir);
        let mut logs = BTreeMap::new();
        for name in &self.names {
            let blocks = watch::chain(layout.node(name).dir(), upto, STEP_TIMEOUT).await?;
            chains.insert(name.clone(), blocks);
            logs.insert(name.clone(), std::fs::read_to_string(layout.node(name).log())?);
        }
        self.figures.complaints = complaints((&self.seen.borrow(), upto), &chains, &logs);
        self.figures.heights = upto;
        let ms = |times: &mut Vec<Duration>, percent| percentile_ms(times, percent);
        self.figures.back_p50_ms = ms(&mut self.back, 50);
        self.figures.back_p95_ms = ms(&mut self.back, 95);
        self.figures.back_worst_ms = ms(&mut self.back, 100);
        self.figures.back_alone_worst_ms = ms(&mut self.back_alone, 100);
        Ok(())
    }
}

/// How often a point is passed at most before a process dies at it: some are passed many times in a height, others once
/// in several.
const fn passes(point: Point) -> u32 {
    match point {
        Point::LogWrite | Point::LogHalf | Point::LogWritten => 40,
        Point::LogSync | Point::LogSynced | Point::Publish | Point::Published => 20,
        Point::SignerWrite | Point::SignerWritten => 9,
        Point::StoreWritten | Point::StoreCommitted => 5,
        Point::Announce => 1,
        Point::RotateCreated
        | Point::RotateWritten
        | Point::RotateSynced
        | Point::RotateRenamed
        | Point::Rotated => 1,
    }
}
