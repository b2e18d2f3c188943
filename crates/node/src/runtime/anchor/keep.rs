//! Keeps checkpoints in the node's own file: those whose quorum of attestations arrived here, and those of a peer when
//! too few attestations arrived.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use nervure_anchor::{AnchorError, AttestationMessage, LocalAnchor, Submission};
use nervure_ledger::{chain::Tip, snapshot::Assembly, spec::MeshSpec};
use nervure_p2p::NetworkHandle;
use nervure_primitives::BlockHeight;
use nervure_protocol::{protocols::ANCHOR, topics::ATTESTATIONS};
use nervure_store::{Reader, StoreError};
use tokio_util::sync::CancellationToken;

use super::{Anchoring, request, wire};
use crate::runtime::{chain::ChainHandle, peers};

/// Between two checks of the open checkpoints.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// Between two broadcasts of an attestation while its checkpoint is open.
const REBROADCAST_INTERVAL: Duration = Duration::from_secs(5);

/// How long a checkpoint is open before a peer is asked for it.
const PEER_REQUEST_DELAY: Duration = Duration::from_secs(3);

/// The size of a page of a state.
const PAGE_BYTES: usize = 512 << 10;

impl Anchoring {
    /// Works until `stop`.
    pub(crate) async fn keep(
        self: Arc<Self>,
        (chain, spec): (ChainHandle, MeshSpec),
        network: NetworkHandle,
        stop: CancellationToken,
    ) {
        self.resume(&chain, spec).await;
        let mut number = 0u16;
        loop {
            let wait = async {
                // Both the timeout and the notification start a round.
                let _ = tokio::time::timeout(POLL_INTERVAL, self.wake_keeper.notified()).await;
            };
            if stop.run_until_cancelled(wait).await.is_none() {
                return;
            }
            let anchoring = self.clone();
            let kept = tokio::task::spawn_blocking(move || anchoring.keep_complete()).await;
            if let Ok(Err(error)) = kept {
                self.trouble(Some(error.to_string()));
                continue;
            }
            let now = std::time::Instant::now();
            let due = self.attestations.lock().due(now, REBROADCAST_INTERVAL);
            for attestation in due {
                number = number.wrapping_add(1);
                let message = AttestationMessage { domain: self.domain, attestation, number };
                if let Ok(bytes) = message.encode() {
                    // Lost while no peer is connected; it is broadcast again.
                    let _ = network.publish(ATTESTATIONS.name, bytes).await;
                }
            }
            let (_, since) = self.attestations.lock().waiting();
            if since.is_some_and(|since| now.duration_since(since) > PEER_REQUEST_DELAY) {
                self.request_from_peer(&network).await;
            }
        }
    }

    /// Opens the last election's checkpoint, which an earlier process may not have kept.
    async fn resume(&self, chain: &ChainHandle, spec: MeshSpec) {
        let tip = chain.view().tip.clone();
        self.committed(&tip, false);
        let (height, interval) = (tip.header.height.0, tip.state.params().election_interval.max(1));
        if height.is_multiple_of(interval) {
            return;
        }
        let elected = BlockHeight(height - height % interval);
        match chain.read(move |reader| state_after(reader, elected, &spec)).await {
            Ok(Some(tip)) => self.committed(&tip, false),
            // The state is no longer kept here: peers have the checkpoint, or it is lost.
            Ok(None) | Err(StoreError::NotKept { .. }) => {}
            Err(error) => tracing::warn!(%error, "the last election cannot be read"),
        }
    }

    /// Keeps all checkpoints that have a quorum. Waits for the disk.
    fn keep_complete(&self) -> Result<(), AnchorError> {
        let Some(log) = self.open_log()? else { return Ok(()) };
        self.attestations.lock().kept(log.latest());
        loop {
            let complete = self.attestations.lock().complete(log.latest());
            let Some(submission) = complete else { return Ok(()) };
            if !self.keep_one(log, &submission)? {
                return Ok(());
            }
        }
    }

    /// Keeps a submission. False when one before it is missing.
    fn keep_one(&self, log: &LocalAnchor, submission: &Submission) -> Result<bool, AnchorError> {
        let height = submission.checkpoint.height();
        match log.store(submission) {
            Ok(_) => {}
            Err(AnchorError::Rejected(refusal)) => {
                tracing::debug!(%height, %refusal, "a checkpoint is not kept");
                return Ok(false);
            }
            Err(error) => return Err(error),
        }
        tracing::info!(%height, signatures = submission.signatures.len(), "a checkpoint is signed and kept");
        self.attestations.lock().kept(height);
        self.kept.notify_waiters();
        Ok(true)
    }

    /// Asks a registered peer for its submissions after the last one that is kept here.
    async fn request_from_peer(self: &Arc<Self>, network: &NetworkHandle) {
        let Some(from) = self.log.get().map(|log| BlockHeight(log.latest().0.saturating_add(1))) else {
            return;
        };
        let Some(peer) = peers::registered(network, &BTreeSet::new()).await.first().copied() else { return };
        let Some(request) = request(self.domain, from) else { return };
        let Ok(answer) = network.request(peer, ANCHOR.name, request).await else { return };
        let anchoring = self.clone();
        let keeping = tokio::task::spawn_blocking(move || {
            let Some(log) = anchoring.log.get() else { return Ok(()) };
            for submission in wire::read(&answer).unwrap_or_default() {
                // Its quorum is verified before it is kept.
                if !anchoring.keep_one(log, &submission)? {
                    break;
                }
            }
            Ok::<_, AnchorError>(())
        });
        if let Ok(Err(error)) = keeping.await {
            self.trouble(Some(error.to_string()));
        }
    }
}

/// The block and the state after it, if both are kept.
fn state_after(reader: &Reader, height: BlockHeight, spec: &MeshSpec) -> Result<Option<Tip>, StoreError> {
    let Some(header) = reader.header(height)?.filter(|_| height.0 > 0) else { return Ok(None) };
    let mut assembly = Assembly::new(header);
    while !assembly.is_complete() {
        let page = reader.page(height, assembly.after(), PAGE_BYTES)?;
        if let Err(error) = assembly.take(&page) {
            tracing::warn!(%error, "the stored state does not match its block");
            return Ok(None);
        }
    }
    Ok(assembly.finish(spec).ok())
}
