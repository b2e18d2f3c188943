//! How long a running testnet's validators take to agree on a block.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    time::{Duration, Instant},
};

use nervure_ledger::spec::Role;
use nervure_testnet::report;
use serde::Serialize;

use crate::stats::percentile_ms;

/// How often the nodes are asked: more than once per block of a second, so that no block is missed.
const POLL_INTERVAL: Duration = Duration::from_millis(200);

/// How long the next block may take.
const BLOCK_TIMEOUT: Duration = Duration::from_secs(60);

/// Times from the beginning of a height to its durable commit, of every validator.
#[derive(Clone, Debug, Serialize)]
pub struct FinalityReport {
    /// Validators that were watched.
    pub validators: usize,
    /// Blocks that were watched.
    pub blocks: u64,
    /// Mean time from one block to the next.
    pub interval_ms: f64,
    /// Median.
    pub p50_ms: f64,
    /// 95th percentile.
    pub p95_ms: f64,
    /// The longest.
    pub worst_ms: f64,
}

/// Watches the testnet in `dir` until it has made `blocks` blocks.
///
/// # Errors
/// If no testnet runs there, or the chain stops.
pub async fn finality(dir: &Path, blocks: u64) -> anyhow::Result<FinalityReport> {
    let (mut times, mut validators) = (BTreeMap::new(), BTreeSet::new());
    let (mut first, mut last) = (None, None);
    let mut advanced = Instant::now();
    loop {
        for node in report(dir).await?.nodes {
            let (Role::Validator, Some(height), Some(took)) = (node.role, node.height, node.finality_ms)
            else {
                continue;
            };
            validators.insert(node.node);
            times.insert((node.node, height), Duration::from_millis(took));
            if last.is_none_or(|(reached, _)| height > reached) {
                advanced = Instant::now();
                last = Some((height, advanced));
                first = first.or(last);
            }
        }
        if let (Some((from, began)), Some((to, ended))) = (first, last)
            && to >= from + blocks
        {
            let blocks = to - from;
            let interval_ms = ended.duration_since(began).as_secs_f64() * 1e3 / blocks as f64;
            let mut times: Vec<_> = times.into_values().collect();
            let [p50_ms, p95_ms, worst_ms] = [50, 95, 100].map(|percent| percentile_ms(&mut times, percent));
            return Ok(FinalityReport {
                validators: validators.len(),
                blocks,
                interval_ms,
                p50_ms,
                p95_ms,
                worst_ms,
            });
        }
        anyhow::ensure!(
            advanced.elapsed() < BLOCK_TIMEOUT,
            "no block for {} s: see nervure testnet status",
            BLOCK_TIMEOUT.as_secs()
        );
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}
