//! From the node's file to the mesh's contract: reading what is kept there, and, as a validator, handing in what is not.
//!
//! One submission at a time, in order, in turns: whose turn it is goes by the checkpoint, and the next one begins after a
//! time-out. Whatever fails for the moment is tried again, more and more slowly; meanwhile the file grows.

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

/// The first and the longest wait before something that failed is tried again.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// Checkpoints that are read from the contract at once.
const PAGE: usize = 64;

/// How to reach the chain.
pub(crate) struct Forwarder {
    contract: EvmConfig,
    account: Option<Account>,
    /// Between two looks at the contract.
    look: Duration,
    /// How long one validator is waited for before the next one hands in.
    turn: Duration,
}

impl Forwarder {
    /// As the operator wants it; none where the mesh has no contract, or the node no endpoint.
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
        // Only validators sign, and only who signs has a turn.
        let payer = anchoring.key.as_ref().map(|own| named.as_ref().unwrap_or(own));
        let account = payer.and_then(|key| Account::from_secret(&key.secret()));
        let (look, turn) = match spec.mesh.scope {
            Scope::Local => (Duration::from_secs(1), Duration::from_secs(5)),
            Scope::Public => (Duration::from_secs(30), Duration::from_secs(20 * 60)),
        };
        Ok(Some(Self { contract: read::config(&place, spec, &config.anchor_rpc), account, look, turn }))
    }

    /// Works until `stop`, or until something is wrong that time does not mend.
    pub(crate) async fn run(self, anchoring: Arc<Anchoring>, stop: CancellationToken) {
        if let Some(Err(error)) = stop.run_until_cancelled(self.work(&anchoring)).await {
            anchoring.trouble(Some(format!("{error}; this node tries no more until it is started again")));
        }
    }

    async fn work(&self, anchoring: &Anchoring) -> Result<(), AnchorError> {
        let mut wait = FIRST_WAIT;
        loop {
            match self.connected(anchoring, &mut wait).await {
                Err(error) if error.is_transient() => anchoring.trouble(Some(error.to_string())),
                other => return other,
            }
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(LONGEST_WAIT);
        }
    }

    async fn connected(&self, anchoring: &Anchoring, wait: &mut Duration) -> Result<(), AnchorError> {
        let config = self.contract.clone();
        let contract = EvmAnchor::connect(config, anchoring.mesh, self.account.clone()).await?;
        let mut read = BlockHeight(0);
        // Since when it is known that this checkpoint is the next to be handed in.
        let mut next: Option<(BlockHeight, Instant)> = None;
        loop {
            let (head, _) = contract.head().await?;
            while read <= head {
                let page = contract.list(read, PAGE).await?;
                let Some(last) = page.last().map(|one| one.height) else { break };
                read = BlockHeight(last.0.saturating_add(1));
                anchoring.note(page);
            }
            anchoring.trouble(None);
            *wait = FIRST_WAIT;
            let waiting = match anchoring.log.get() {
                Some(log) => self.hand_in(&contract, (anchoring, log), head, &mut next).await?,
                None => self.look,
            };
            if !waiting.is_zero() {
                // Another checkpoint is reason enough to look.
                let _ = tokio::time::timeout(waiting, anchoring.kept.notified()).await;
            }
        }
    }

    /// Hands in the checkpoint after `head`, when it is this node's turn. Returns how long to wait.
    async fn hand_in(
        &self,
        contract: &EvmAnchor,
        (anchoring, log): (&Anchoring, &LocalAnchor),
        head: BlockHeight,
        next: &mut Option<(BlockHeight, Instant)>,
    ) -> Result<Duration, AnchorError> {
        let Some(key) = anchoring.key.as_ref().filter(|_| self.account.is_some()) else {
            return Ok(self.look);
        };
        let Some(submission) = log.submission(BlockHeight(head.0.saturating_add(1)))? else {
            return Ok(self.look);
        };
        let height = submission.checkpoint.height();
        let since = match *next {
            Some((known, since)) if known == height => since,
            _ => next.insert((height, Instant::now())).1,
        };
        let Some(turn) = wait(&submission, key, self.turn) else { return Ok(self.look) };
        let left = turn.saturating_sub(since.elapsed());
        if !left.is_zero() {
            return Ok(left.min(self.look));
        }
        match contract.submit(&submission).await? {
            SubmissionReceipt::Stored { reference, gas } => {
                let transaction = reference.map(|reference| reference.transaction.to_string());
                tracing::info!(%height, transaction, gas, "anchored a checkpoint");
            }
            SubmissionReceipt::AlreadyStored => tracing::debug!(%height, "somebody else anchored it"),
        }
        Ok(Duration::ZERO)
    }
}

/// How long this node waits before it hands in; none for who does not sign it.
fn wait(submission: &Submission, key: &AnchorKey, turn: Duration) -> Option<Duration> {
    let turns = SubmissionSchedule::new(&submission.checkpoint, &submission.validators, turn).ok()?;
    turns.wait(&key.address())
}
