//! Eyes on the nodes of a testnet that come and go.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::Context;
use data_encoding::BASE64;
use nervure_api::{CheckpointView, ClientError};
use nervure_ledger::checkpoint::Checkpoint;
use nervure_primitives::{BlockHeight, Hash, NodeId};
use nervure_testnet::NodeFile;
use tokio::{sync::watch, task::JoinSet};

use super::{LOOK, judge::Seen};
use crate::local::LocalNode;

/// Longest wait for one answer: a node may be killed while it answers.
const ANSWER: Duration = Duration::from_secs(2);

/// Looks at all `nodes` (their names and directories) until what is returned is dropped.
pub(super) fn all(nodes: impl Iterator<Item = (String, PathBuf)>) -> (JoinSet<()>, watch::Receiver<Seen>) {
    let (sender, seen) = watch::channel(Seen::default());
    let mut watchers = JoinSet::new();
    for (name, dir) in nodes {
        watchers.spawn(look_at(name, dir, sender.clone()));
    }
    (watchers, seen)
}

async fn look_at(name: String, dir: PathBuf, seen: watch::Sender<Seen>) {
    let (mut known, mut last): (Option<(NodeFile, LocalNode)>, u64) = (None, 0);
    loop {
        if let Ok(Some(file)) = NodeFile::read(&dir)
            && known.as_ref().is_none_or(|(before, _)| *before != file)
        {
            known = LocalNode::of(&file).ok().map(|node| (file, node));
        }
        if let Some((file, node)) = &known
            && let Ok(Some((height, block))) = tokio::time::timeout(ANSWER, tip(node)).await
        {
            seen.send_modify(|seen| seen.block(&name, height, block));
            if height > last
                && let Ok(Some(signers)) = tokio::time::timeout(ANSWER, signers(node, height)).await
            {
                last = height;
                // What a node holds of itself does not show that others hear it.
                let heard = signers.into_iter().filter(|signer| *signer != file.node);
                seen.send_modify(|seen| heard.for_each(|signer| seen.heard(signer, height)));
            }
        }
        tokio::time::sleep(LOOK).await;
    }
}

async fn tip(node: &LocalNode) -> Option<(u64, Hash)> {
    let status = node.client().status().await.ok()?;
    status.chain.map(|chain| (chain.height.0, chain.block))
}

async fn signers(node: &LocalNode, height: u64) -> Option<Vec<NodeId>> {
    let view = checkpoint(node, height).await.ok()?;
    let checkpoint = Checkpoint::decode(&BASE64.decode(view.checkpoint.as_bytes()).ok()?).ok()?;
    Some(checkpoint.certificate.signatures.iter().map(|(signer, _)| *signer).collect())
}

async fn checkpoint(node: &LocalNode, height: u64) -> Result<CheckpointView, ClientError> {
    node.client().checkpoint(Some(BlockHeight(height))).await
}

/// The blocks from the first to `upto` of the node in `dir`, once it has them.
pub(super) async fn chain(dir: &Path, upto: u64, patience: Duration) -> anyhow::Result<BTreeMap<u64, Hash>> {
    let node = LocalNode::find(dir)?;
    let (began, mut blocks) = (Instant::now(), BTreeMap::new());
    while (blocks.len() as u64) < upto {
        let height = blocks.len() as u64 + 1;
        match checkpoint(&node, height).await {
            Ok(view) => drop(blocks.insert(height, view.block)),
            Err(error) if began.elapsed() > patience => {
                return Err(error)
                    .with_context(|| format!("block {height} of the node in {}", dir.display()));
            }
            Err(_) => tokio::time::sleep(LOOK).await,
        }
    }
    Ok(blocks)
}
