//! A miner that strangers flood: what validators and askers with stake get of it, beside a time without the flood and beside
//! a stranger that asks the same.
//!
//! The strangers have any number of keys. *Stalled* ones let the miner send no byte, and ask every 100 ms on each of 66
//! connections, with a deadline of ten minutes, half of it what the miner refuses (findings T4 and T6). *Greedy* ones ask
//! for the longest text, and again as soon as they are answered or refused (T5).

mod askers;

use std::{path::Path, time::Duration};

use anyhow::Context;
use nervure_primitives::{NodeKey, key_file};
use nervure_testnet::{Layout, NodeFile, Shape, Silent, UpOptions, up};
use serde::Serialize;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

pub use askers::Outcomes;
use askers::{Asker, Miner};

/// Stalled connections, as many as silenced a miner before.
const STALLED: usize = 66;

/// Keys that ask for the longest text.
const GREEDY: usize = 24;

/// Interval between two looks at the miner's process.
const PROCESS_INTERVAL: Duration = Duration::from_millis(250);

/// What one asker got.
#[derive(Clone, Debug, Default, Serialize)]
pub struct AskerFigures {
    /// Its class.
    pub class: &'static str,
    /// Questions, and those that were answered within ten seconds, without the flood.
    pub calm: Outcomes,
    /// The same with it.
    pub flooded: Outcomes,
}

/// The largest that the miner's process was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ProcessFigures {
    /// Resident memory, in KiB.
    pub memory_kib: u64,
    /// Open file descriptors.
    pub descriptors: u64,
}

/// The figures of a run.
#[derive(Clone, Debug, Default, Serialize)]
pub struct FloodReport {
    /// The validator, the gateway, and a stranger.
    pub askers: Vec<AskerFigures>,
    /// The miner without the flood.
    pub calm: ProcessFigures,
    /// The miner with it.
    pub flooded: ProcessFigures,
    /// Questions of the flood.
    pub flood: u64,
}

/// Measures for `time` without the flood and as long with it.
///
/// # Errors
/// If the testnet does not start.
pub async fn flood(time: Duration, mut progress: impl FnMut(&str)) -> anyhow::Result<FloodReport> {
    let home = tempfile::tempdir().context("cannot make a directory for the testnet")?;
    let options = UpOptions {
        dir: home.path().join("testnet"),
        binary: std::env::current_exe()?,
        name: "flood".into(),
        shape: Shape { validators: 1, miners: 1, gateways: 1 },
        experts: vec!["builtin:rust".into()],
        upstream: None,
        record_expiry_seconds: None,
        block_milliseconds: None,
        chain: None,
        detach: false,
        timeout: Duration::from_secs(120),
    };
    let testnet = up(&options, &CancellationToken::new(), &mut Silent).await?;
    let measured = measure(&options.dir, time, &mut progress).await;
    testnet.stop(&CancellationToken::new(), &mut Silent).await?;
    measured
}

async fn measure(dir: &Path, time: Duration, progress: &mut impl FnMut(&str)) -> anyhow::Result<FloodReport> {
    let layout = Layout::new(dir);
    let file = NodeFile::read(layout.node("miner-1").dir())?.context("miner-1 has written no node.json")?;
    let miner = Miner::of(&file)?;
    let key = |name: &str| key_file::read(&layout.node(name).key(), None);
    let stranger = NodeKey::generate().context("no randomness")?;
    let askers = [("validator", key("validator-1")?), ("staked", key("gateway-1")?), ("stranger", stranger)];
    let askers: Vec<_> = askers
        .into_iter()
        .map(|(class, key)| anyhow::Ok((class, Asker::new(&miner, key)?)))
        .collect::<Result<_, _>>()?;
    progress("without the flood");
    let (calm, calm_process) = ask_all(&askers, file.pid, time).await?;
    progress(&format!("{STALLED} stalled connections and {GREEDY} greedy keys"));
    let mut flooders = JoinSet::new();
    let counted = askers::Counter::default();
    for number in 0..STALLED {
        flooders.spawn(askers::stall(miner.clone(), number % 2 == 0, counted.clone()));
    }
    for _ in 0..GREEDY {
        flooders.spawn(askers::ask_without_end(miner.clone(), counted.clone()));
    }
    let (flooded, flooded_process) = ask_all(&askers, file.pid, time).await?;
    flooders.shutdown().await;
    let figures = askers.iter().zip(calm).zip(flooded);
    let figures = figures.map(|((asker, calm), flooded)| AskerFigures { class: asker.0, calm, flooded });
    Ok(FloodReport {
        askers: figures.collect(),
        calm: calm_process,
        flooded: flooded_process,
        flood: counted.get(),
    })
}

/// What each asker got in `time`, and the largest that the process was.
async fn ask_all(
    askers: &[(&'static str, Asker)],
    pid: u32,
    time: Duration,
) -> anyhow::Result<(Vec<Outcomes>, ProcessFigures)> {
    let asking = futures::future::join_all(askers.iter().map(|(_, asker)| asker.ask_for(time)));
    let mut most = ProcessFigures::default();
    let watching = async {
        loop {
            let now = ProcessFigures::of(pid);
            most.memory_kib = most.memory_kib.max(now.memory_kib);
            most.descriptors = most.descriptors.max(now.descriptors);
            tokio::time::sleep(PROCESS_INTERVAL).await;
        }
    };
    let outcomes = tokio::select! {
        outcomes = asking => outcomes,
        () = watching => Vec::new(),
    };
    Ok((outcomes, most))
}

impl ProcessFigures {
    /// Of a running process, as Linux tells them; zero elsewhere.
    fn of(pid: u32) -> Self {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let memory = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let memory = memory.and_then(|text| text.split_whitespace().next()?.parse().ok());
        let open = std::fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, Iterator::count);
        Self { memory_kib: memory.unwrap_or(0), descriptors: open as u64 }
    }
}
