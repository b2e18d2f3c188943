//! How long a running testnet's validators take to agree on a block.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    time::{Duration, Instant},
};

use nervure_ledger::spec::Role;
use nervure_testnet::report;
use serde::Serialize;

use super::report::percentile;

/// Between two looks at the nodes: blocks come every second, so none is missed.
const LOOK: Duration = Duration::from_millis(200);

/// How long no further block is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

/// What was seen. Times from the beginning of a height to its durable commit, of every validator.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Finality {
    pub validators: usize,
    pub blocks: u64,
    /// From one block to the next, the mean.
    pub interval_ms: f64,
    pub p50_ms: f64,
    pub p95_ms: f64,
    pub worst_ms: f64,
}

/// Watches the testnet in `dir` until it has made so many blocks.
pub(crate) async fn finality(dir: &Path, blocks: u64) -> anyhow::Result<Finality> {
    let (mut times, mut validators) = (BTreeMap::new(), BTreeSet::new());
    let (mut first, mut last) = (None, None);
    let mut stirred = Instant::now();
    loop {
        for node in report(dir).await?.nodes {
            let (Role::Validator, Some(height), Some(took)) = (node.role, node.height, node.finality_ms)
            else {
                continue;
            };
            validators.insert(node.node);
            times.insert((node.node, height), Duration::from_millis(took));
            if last.is_none_or(|(reached, _)| height > reached) {
                stirred = Instant::now();
                last = Some((height, stirred));
                first = first.or(last);
            }
        }
        if let (Some((from, began)), Some((to, ended))) = (first, last)
            && to >= from + blocks
        {
            let blocks = to - from;
            let interval_ms = ended.duration_since(began).as_secs_f64() * 1e3 / blocks as f64;
            let mut times: Vec<_> = times.into_values().collect();
            let [p50_ms, p95_ms, worst_ms] =
                [50, 95, 100].map(|percent| percentile(&mut times, percent) / 1e3);
            return Ok(Finality {
                validators: validators.len(),
                blocks,
                interval_ms,
                p50_ms,
                p95_ms,
                worst_ms,
            });
        }
        anyhow::ensure!(
            stirred.elapsed() < PATIENCE,
            "no block for {} s: see nervure testnet status",
            PATIENCE.as_secs()
        );
        tokio::time::sleep(LOOK).await;
    }
}
