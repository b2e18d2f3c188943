//! Reads the checkpoints in the mesh's contract and, as a validator, submits those of the node's file that are missing.
//!
//! One submission at a time, in order of height. The checkpoint determines the order of the validators' turns, and the
//! next turn starts after a timeout. Transient errors are retried with a growing delay; meanwhile the file grows.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use nervure_anchor::{
    Anchor, AnchorError, AnchorKey, AnchorKeyFileError, LocalAnchor, Submission, SubmissionReceipt,
    SubmissionSchedule,
};
use nervure_anchor_evm::{Account, EvmAnchor, EvmConfig};
use nervure_ledger::spec::{MeshSpec, Scope};
use nervure_primitives::BlockHeight;
use tokio_util::sync::CancellationToken;

use super::{Anchoring, read};
use crate::config::NodeConfig;

/// Before a retry; each failure doubles it, up to the maximum.
const MIN_RETRY_DELAY: Duration = Duration::from_secs(1);
const MAX_RETRY_DELAY: Duration = Duration::from_secs(60);

/// Checkpoints that one request reads from the contract.
const CHECKPOINTS_PER_PAGE: usize = 64;

/// Submits checkpoints to the contract.
pub(crate) struct Forwarder {
    contract: EvmConfig,
    account: Option<Account>,
    /// Between two reads of the contract.
    poll_interval: Duration,
    /// How long one validator has before the next one submits.
    turn: Duration,
}

impl Forwarder {
    /// From the operator's settings; none where the mesh has no contract, or the node no endpoint.
    ///
    /// # Errors
    /// When the account's file cannot be read.
    pub(crate) fn new(
        config: &NodeConfig,
        spec: &MeshSpec,
        anchoring: &Anchoring,
    ) -> Result<Option<Self>, AnchorKeyFileError> {
        let Some(place) = spec.network.anchor.filter(|_| !config.anchor_rpc.is_empty()) else {
            return Ok(None);
        };
        let named = config.anchor_account.as_deref().map(AnchorKey::read).transpose()?;
        // Only validators sign, and only signers have a turn.
        let payer = anchoring.key.as_ref().map(|own| named.as_ref().unwrap_or(own));
        let account = payer.and_then(|key| Account::from_secret(&key.secret()));
        let (poll_interval, turn) = match spec.mesh.scope {
            Scope::Local => (Duration::from_secs(1), Duration::from_secs(5)),
            Scope::Public => (Duration::from_secs(30), Duration::from_secs(20 * 60)),
        };
        Ok(Some(Self {
            contract: read::config(&place, spec, &config.anchor_rpc),
            account,
            poll_interval,
            turn,
        }))
    }

    /// Works until `stop`, or until a permanent error.
    pub(crate) async fn run(self, anchoring: Arc<Anchoring>, stop: CancellationToken) {
        if let Some(Err(error)) = stop.run_until_cancelled(self.work(&anchoring)).await {
            anchoring.trouble(Some(format!("{error}; this node does not try again until it is restarted")));
        }
    }

    async fn work(&self, anchoring: &Anchoring) -> Result<(), AnchorError> {
        let mut wait = MIN_RETRY_DELAY;
        loop {
            match self.connected(anchoring, &mut wait).await {
                Err(error) if error.is_transient() => anchoring.trouble(Some(error.to_string())),
                other => return other,
            }
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(MAX_RETRY_DELAY);
        }
    }

    async fn connected(&self, anchoring: &Anchoring, wait: &mut Duration) -> Result<(), AnchorError> {
        let config = self.contract.clone();
        let contract = EvmAnchor::connect(config, anchoring.mesh, self.account.clone()).await?;
        let mut read = BlockHeight(0);
        // The next checkpoint to submit, and since when it is the next.
        let mut next: Option<(BlockHeight, Instant)> = None;
        loop {
            let (head, _) = contract.head().await?;
            while read <= head {
                let page = contract.list(read, CHECKPOINTS_PER_PAGE).await?;
                let Some(last) = page.last().map(|one| one.height) else { break };
                read = BlockHeight(last.0.saturating_add(1));
                anchoring.note(page);
            }
            anchoring.trouble(None);
            *wait = MIN_RETRY_DELAY;
            let waiting = match anchoring.log.get() {
                Some(log) => self.submit_next(&contract, (anchoring, log), head, &mut next).await?,
                None => self.poll_interval,
            };
            if !waiting.is_zero() {
                // Another checkpoint ends the wait.
                let _ = tokio::time::timeout(waiting, anchoring.kept.notified()).await;
            }
        }
    }

    /// Submits the checkpoint after `head`, when it is this node's turn. Returns how long to wait.
    async fn submit_next(
        &self,
        contract: &EvmAnchor,
        (anchoring, log): (&Anchoring, &LocalAnchor),
        head: BlockHeight,
        next: &mut Option<(BlockHeight, Instant)>,
    ) -> Result<Duration, AnchorError> {
        let Some(key) = anchoring.key.as_ref().filter(|_| self.account.is_some()) else {
            return Ok(self.poll_interval);
        };
        let Some(submission) = log.submission(BlockHeight(head.0.saturating_add(1)))? else {
            return Ok(self.poll_interval);
        };
        let height = submission.checkpoint.height();
        let since = match *next {
            Some((known, since)) if known == height => since,
            _ => next.insert((height, Instant::now())).1,
        };
        let Some(turn) = wait(&submission, key, self.turn) else { return Ok(self.poll_interval) };
        let left = turn.saturating_sub(since.elapsed());
        if !left.is_zero() {
            return Ok(left.min(self.poll_interval));
        }
        match contract.submit(&submission).await? {
            SubmissionReceipt::Stored { reference, gas } => {
                let transaction = reference.map(|reference| reference.transaction.to_string());
                tracing::info!(%height, transaction, gas, "anchored a checkpoint");
            }
            SubmissionReceipt::AlreadyStored => tracing::debug!(%height, "another validator anchored it"),
        }
        Ok(Duration::ZERO)
    }
}

/// How long this node waits before it submits; none when it is not a signer.
fn wait(submission: &Submission, key: &AnchorKey, turn: Duration) -> Option<Duration> {
    let turns = SubmissionSchedule::new(&submission.checkpoint, &submission.validators, turn).ok()?;
    turns.wait(&key.address())
}
