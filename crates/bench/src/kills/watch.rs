//! Watches the nodes of a testnet while they die and restart.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::Context;
use data_encoding::BASE64;
use nervure_api::{CheckpointView, Client, ClientError};
use nervure_ledger::checkpoint::Checkpoint;
use nervure_primitives::{BlockHeight, Hash, NodeId};
use nervure_testnet::NodeFile;
use tokio::{sync::watch, task::JoinSet};

use super::{POLL_INTERVAL, verdict::Observations};

/// How long one answer may take: a node may be killed while it answers.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);

/// Watches all `nodes` (names and directories) until the returned set is dropped.
pub(super) fn all(
    nodes: impl Iterator<Item = (String, PathBuf)>,
) -> (JoinSet<()>, watch::Receiver<Observations>) {
    let (sender, seen) = watch::channel(Observations::default());
    let mut watchers = JoinSet::new();
    for (name, dir) in nodes {
        watchers.spawn(watch_node(name, dir, sender.clone()));
    }
    (watchers, seen)
}

async fn watch_node(name: String, dir: PathBuf, seen: watch::Sender<Observations>) {
    let (mut known, mut last): (Option<(NodeFile, Client)>, u64) = (None, 0);
    loop {
        if let Ok(Some(file)) = NodeFile::read(&dir)
            && known.as_ref().is_none_or(|(before, _)| *before != file)
        {
            known = Client::new(file.http).ok().map(|node| (file, node));
        }
        if let Some((file, node)) = &known
            && let Ok(Some((height, block))) = tokio::time::timeout(ANSWER_TIMEOUT, tip(node)).await
        {
            seen.send_modify(|seen| seen.block(&name, height, block));
            if height > last
                && let Ok(Some(signers)) = tokio::time::timeout(ANSWER_TIMEOUT, signers(node, height)).await
            {
                last = height;
                // A node's own signature does not prove that others received it.
                let others = signers.into_iter().filter(|signer| *signer != file.node);
                seen.send_modify(|seen| others.for_each(|signer| seen.signature(signer, height)));
            }
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

async fn tip(node: &Client) -> Option<(u64, Hash)> {
    let status = node.status().await.ok()?;
    status.chain.map(|chain| (chain.height.0, chain.block))
}

async fn signers(node: &Client, height: u64) -> Option<Vec<NodeId>> {
    let view = checkpoint(node, height).await.ok()?;
    let checkpoint = Checkpoint::decode(&BASE64.decode(view.checkpoint.as_bytes()).ok()?).ok()?;
    Some(checkpoint.certificate.signatures.iter().map(|(signer, _)| *signer).collect())
}

async fn checkpoint(node: &Client, height: u64) -> Result<CheckpointView, ClientError> {
    node.checkpoint(Some(BlockHeight(height))).await
}

/// The blocks from the first to `upto` of the node in `dir`, once it has them.
pub(super) async fn chain(dir: &Path, upto: u64, timeout: Duration) -> anyhow::Result<BTreeMap<u64, Hash>> {
    let file = NodeFile::read(dir)?;
    let file = file.with_context(|| format!("no node runs in {}", dir.display()))?;
    let node = Client::new(file.http)?;
    let (began, mut blocks) = (Instant::now(), BTreeMap::new());
    while (blocks.len() as u64) < upto {
        let height = blocks.len() as u64 + 1;
        match checkpoint(&node, height).await {
            Ok(view) => drop(blocks.insert(height, view.block)),
            Err(error) if began.elapsed() > timeout => {
                return Err(error)
                    .with_context(|| format!("block {height} of the node in {}", dir.display()));
            }
            Err(_) => tokio::time::sleep(POLL_INTERVAL).await,
        }
    }
    Ok(blocks)
}
