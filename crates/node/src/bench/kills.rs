//! The soak of crashes: validators of a testnet of its own are killed, at fail points and at random moments, and started
//! again at once, while the whole chain is watched.
//!
//! Every block that any node ever said was final is remembered, and in the end every node must have it. A node is *back in
//! service* when others hold its signature for a block whose height had not begun when it was started again. What goes wrong is listed and
//! not stopped at, so that one run shows all of it.

mod judge;
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

use super::report::percentile;
use judge::{Seen, complaints};

/// Validators: the fewest of which one may be missing.
const VALIDATORS: usize = 4;

/// How long anything may take that has to happen. Not a measurement.
const PATIENCE: Duration = Duration::from_secs(90);

/// Between two looks.
const LOOK: Duration = Duration::from_millis(25);

/// Longest pause before random kills, in milliseconds: a kill finds a node at any moment of a height, or just started.
const PAUSE: u64 = 1_500;

/// What is to be done.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    /// Kills at random moments.
    pub kills: u32,
    /// How often all fail points are gone through.
    pub sweeps: u32,
    /// Whatever is drawn comes from it.
    pub seed: u64,
    /// From one block to the next.
    pub block_milliseconds: u32,
}

/// What happened.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Kills {
    pub seed: u64,
    pub validators: usize,
    /// SIGKILL at random moments.
    pub random: u32,
    /// Deaths at each fail point.
    pub at_fail_points: BTreeMap<String, u32>,
    pub restarts: u32,
    /// From the start of the process until others hold its signature for a block whose height began after that.
    pub back_p50_ms: f64,
    pub back_p95_ms: f64,
    pub back_worst_ms: f64,
    /// The same of those restarts for which the other validators had two thirds of the power.
    pub back_alone_worst_ms: f64,
    /// Final blocks that were compared, on every node.
    pub heights: u64,
    /// Final blocks that were lost or replaced, contradictions, and nodes that gave up.
    pub complaints: Vec<String>,
}

/// Kills and starts again, telling `progress` how far it is.
pub(crate) async fn kills(plan: Plan, mut progress: impl FnMut(&str)) -> anyhow::Result<Kills> {
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
        timeout: PATIENCE,
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

/// A run under way.
struct Soak {
    dir: PathBuf,
    names: Vec<String>,
    ids: BTreeMap<String, NodeId>,
    rng: StdRng,
    seen: channel::Receiver<Seen>,
    _watchers: JoinSet<()>,
    back: Vec<Duration>,
    back_alone: Vec<Duration>,
    figures: Kills,
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
            figures: Kills {
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

    async fn run(&mut self, plan: Plan, progress: &mut impl FnMut(&str)) -> anyhow::Result<()> {
        self.signing(&self.names.clone(), 1).await?;
        for sweep in 0..plan.sweeps {
            let victim = (plan.seed as usize).wrapping_add(sweep as usize) % self.names.len();
            let victim = self.names[victim].clone();
            progress(&format!("fail points of {victim}, {} of {}", sweep + 1, plan.sweeps));
            self.sweep(&victim, progress).await?;
        }
        while self.figures.random < plan.kills {
            self.strike(plan.kills - self.figures.random).await?;
            progress(&format!("{} of {} random kills", self.figures.random, plan.kills));
        }
        self.finish().await
    }

    /// Has `victim` die at one fail point after the other.
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
                anyhow::ensure!(began.elapsed() < PATIENCE, "{victim} never came to the fail point {armed}");
                if served.is_none() && self.signs(victim, target) {
                    served = Some(began.elapsed());
                }
                tokio::time::sleep(LOOK).await;
            }
            progress(&format!(
                "{armed}: died after {} ms, in service {}",
                began.elapsed().as_millis(),
                served.map_or("not before".into(), |served: Duration| format!(
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

    /// Kills some at a random moment and starts them again.
    async fn strike(&mut self, most: u32) -> anyhow::Result<()> {
        // Mostly one, which the others do without; sometimes more, and now and then all.
        let count =
            [1, 1, 1, 1, 1, 1, 2, 2, 3, 4].choose(&mut self.rng).copied().unwrap_or(1).min(most as usize);
        let victims: Vec<_> = self.names.choose_multiple(&mut self.rng, count).cloned().collect();
        tokio::time::sleep(Duration::from_millis(self.rng.random_range(0..PAUSE))).await;
        for victim in &victims {
            kill(&self.dir, victim).await?;
            self.figures.random += 1;
        }
        self.restart(&victims).await
    }

    /// Starts `victims` again, and waits until all of them sign.
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

    /// A height that has not begun: nobody who is dead now has signed for it.
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
                anyhow::ensure!(began.elapsed() < PATIENCE, "{missing} does not sign at height {target}");
            }
            tokio::time::sleep(LOOK).await;
        }
        Ok(times.into_values().collect())
    }

    /// Compares what all nodes have with what was ever final, and reads the logs.
    async fn finish(&mut self) -> anyhow::Result<()> {
        let height = self.next_height();
        self.signing(&self.names.clone(), height).await?;
        let upto = self.seen.borrow().highest();
        let mut chains = BTreeMap::new();
        let layout = Layout::new(&self.dir);
        let mut logs = BTreeMap::new();
        for name in &self.names {
            let blocks = watch::chain(layout.node(name).dir(), upto, PATIENCE).await?;
            chains.insert(name.clone(), blocks);
            logs.insert(name.clone(), std::fs::read_to_string(layout.node(name).log())?);
        }
        self.figures.complaints = complaints((&self.seen.borrow(), upto), &chains, &logs);
        self.figures.heights = upto;
        let ms = |times: &mut Vec<Duration>, percent| percentile(times, percent) / 1e3;
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
