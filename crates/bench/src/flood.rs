//! Miners that strangers flood: what validators and askers with stake get of them, beside a time without the flood and
//! beside a stranger that asks the same.
//!
//! One miner serves a built-in model with one worker, the other one an OpenAI-compatible upstream. Each is flooded on its
//! own. The strangers have any number of keys. *Stalled* ones let the miner send no byte, and ask every 100 ms on each of
//! 66 connections, with a deadline of ten minutes, half of it what the miner refuses (findings T4 and T6). *Greedy* ones
//! ask for the longest text, and again as soon as they are answered or refused (T5).
//!
//! [`FloodReport::complaints`] says what a miner did not hold: answers in time to validators and askers with stake, its
//! memory, its file descriptors, and the requests that its upstream had at once.

mod askers;
mod report;
mod upstream;

use std::{path::Path, time::Duration};

use anyhow::Context;
use nervure_primitives::{NodeKey, key_file};
use nervure_testnet::{Layout, NodeFile, Shape, Silent, UpOptions, up};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

pub use askers::Outcomes;
use askers::{Asker, Miner};
pub use report::{AskerFigures, FloodReport, FloodedMiner, ProcessFigures};
use upstream::Upstream;

/// Stalled connections, as many as silenced a miner before.
const STALLED: usize = 66;

/// Keys that ask for the longest text.
const GREEDY: usize = 24;

/// Interval between two looks at the miner's process.
const PROCESS_INTERVAL: Duration = Duration::from_millis(250);

/// The miners, by what they serve.
const MINERS: [(&str, &str); 2] = [("miner-1", "a built-in model"), ("miner-2", "an upstream")];

/// The askers that are measured, and the nodes whose keys they have; the stranger has a new one.
const ASKERS: [(&str, Option<&str>); 3] =
    [("validator", Some("validator-1")), ("staked", Some("gateway-1")), ("stranger", None)];

/// Measures each miner for `time` without the flood and as long with it.
///
/// # Errors
/// If the testnet does not start.
pub async fn flood(time: Duration, mut progress: impl FnMut(&str)) -> anyhow::Result<FloodReport> {
    let home = tempfile::tempdir().context("cannot make a directory for the testnet")?;
    let upstream = Upstream::start().await?;
    let served = format!("openai:{},model={},capability=text.generate.rust", upstream.url(), upstream::MODEL);
    let options = UpOptions {
        dir: home.path().join("testnet"),
        binary: std::env::current_exe()?,
        name: "flood".into(),
        shape: Shape { validators: 1, miners: MINERS.len(), gateways: 1 },
        experts: vec!["builtin:rust".into(), served],
        upstream: None,
        record_expiry_seconds: None,
        block_milliseconds: None,
        chain: None,
        detach: false,
        resume: false,
        timeout: Duration::from_secs(120),
    };
    let testnet = up(&options, &CancellationToken::new(), &mut Silent).await?;
    let mut miners = Vec::new();
    let measured = async {
        for miner in MINERS {
            miners.push(measure(&options.dir, miner, time, &mut progress).await?);
        }
        anyhow::Ok(())
    }
    .await;
    testnet.stop(&CancellationToken::new(), &mut Silent).await?;
    measured?;
    Ok(FloodReport { miners, upstream_requests: upstream.most_at_once() })
}

/// The figures of one miner.
async fn measure(
    dir: &Path,
    (name, serves): (&str, &'static str),
    time: Duration,
    progress: &mut impl FnMut(&str),
) -> anyhow::Result<FloodedMiner> {
    let layout = Layout::new(dir);
    let file = NodeFile::read(layout.node(name).dir())?.with_context(|| format!("no node.json of {name}"))?;
    let miner = Miner::of(&file)?;
    let askers = measured(&layout, &miner)?;
    progress(&format!("{serves}, without the flood"));
    let (calm, calm_process) = ask_all(&askers, file.pid, time).await?;
    progress(&format!("{serves}, {STALLED} stalled connections and {GREEDY} greedy keys"));
    let (mut flooders, counted) = (JoinSet::new(), askers::Counter::default());
    for number in 0..STALLED {
        flooders.spawn(askers::stall(miner.clone(), number % 2 == 0, counted.clone()));
    }
    for _ in 0..GREEDY {
        flooders.spawn(askers::ask_without_end(miner.clone(), counted.clone()));
    }
    let (flooded, flooded_process) = ask_all(&askers, file.pid, time).await?;
    flooders.shutdown().await;
    let figures = ASKERS.iter().zip(calm).zip(flooded);
    Ok(FloodedMiner {
        serves,
        askers: figures
            .map(|((asker, calm), flooded)| AskerFigures { class: asker.0, calm, flooded })
            .collect(),
        calm: calm_process,
        flooded: flooded_process,
        flood: counted.get(),
    })
}

/// The askers that are measured, each with a connection of its own.
fn measured(layout: &Layout, miner: &Miner) -> anyhow::Result<Vec<Asker>> {
    let key = |node: Option<&str>| -> anyhow::Result<NodeKey> {
        match node {
            Some(name) => Ok(key_file::read(&layout.node(name).key(), None)?),
            None => NodeKey::generate().context("no randomness"),
        }
    };
    ASKERS.into_iter().map(|(_, node)| Asker::new(miner, key(node)?)).collect()
}

/// What each asker got in `time`, and the largest that the process was.
async fn ask_all(
    askers: &[Asker],
    pid: u32,
    time: Duration,
) -> anyhow::Result<(Vec<Outcomes>, ProcessFigures)> {
    let asking = futures::future::join_all(askers.iter().map(|asker| asker.ask_for(time)));
    let mut most = ProcessFigures::default();
    let watching = async {
        loop {
            most = most.max(ProcessFigures::of(pid));
            tokio::time::sleep(PROCESS_INTERVAL).await;
        }
    };
    let outcomes = tokio::select! {
        outcomes = asking => outcomes,
        () = watching => Vec::new(),
    };
    Ok((outcomes, most))
}
