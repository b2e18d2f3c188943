//! Submitting a checkpoint until it is final.
//!
//! An attempt first checks whether the checkpoint is stored already: by another validator, or by this one before a
//! crash. After the transaction it polls until the block is final; when a reorganisation removes it, the attempt
//! starts over. Every step may be repeated, because the contract stores a checkpoint once.

use std::time::Duration;

use alloy::{
    primitives::TxKind,
    rpc::types::TransactionReceipt,
    sol_types::{SolCall, SolEvent},
};
use nervure_anchor::{AnchorError, CheckpointRejection, Submission, SubmissionReceipt, TransactionRef};
use tokio::time::{Instant, sleep, timeout_at};

use crate::{
    Account, EvmAnchor,
    contract::CheckpointAnchor as sol,
    convert::{address, hash, submission as encoded},
    send::{Call, send},
};

/// The delay after the first transient failure; it doubles with each further one.
const FIRST_RETRY_DELAY: Duration = Duration::from_millis(200);

/// The longest delay between two attempts.
const MAX_RETRY_DELAY: Duration = Duration::from_secs(30);

/// Whether the contract has a checkpoint.
enum CheckpointStatus {
    Absent,
    /// In a block that a reorganisation may still remove.
    Unconfirmed,
    Final,
}

impl EvmAnchor {
    pub(crate) async fn submit_until_final(
        &self,
        submission: &Submission,
    ) -> Result<SubmissionReceipt, AnchorError> {
        // The contract would reject an invalid quorum, and charge for it.
        submission.verify(&self.config.domain).map_err(CheckpointRejection::from)?;
        let deadline = Instant::now() + self.config.limits.submit_timeout;
        let (mut wait, mut last) =
            (FIRST_RETRY_DELAY, AnchorError::Unavailable("the timeout left no time for an attempt".into()));
        loop {
            match timeout_at(deadline, self.attempt(submission)).await {
                Ok(Err(error)) if error.is_transient() => {
                    tracing::info!(%error, "a checkpoint is not anchored yet");
                    last = error;
                }
                Ok(result) => return result,
                Err(_) => return Err(last),
            }
            if timeout_at(deadline, sleep(wait)).await.is_err() {
                return Err(last);
            }
            wait = (wait * 2).min(MAX_RETRY_DELAY);
        }
    }

    async fn attempt(&self, submission: &Submission) -> Result<SubmissionReceipt, AnchorError> {
        let mut last = self.sending.lock().await;
        match self.seen(submission).await? {
            CheckpointStatus::Final => return Ok(SubmissionReceipt::AlreadyStored),
            CheckpointStatus::Unconfirmed => return self.until_final(submission, None).await,
            CheckpointStatus::Absent => {}
        }
        let call = Call {
            chain: self.config.domain.chain,
            to: TxKind::Call(address(self.config.domain.contract)),
            input: encoded(submission).abi_encode().into(),
        };
        let receipt = send(self.first()?, self.account()?, &call, &self.config.limits, &mut last).await?;
        self.until_final(submission, Some(receipt)).await
    }

    fn account(&self) -> Result<&Account, AnchorError> {
        self.account.as_ref().ok_or(AnchorError::NoAccount)
    }

    /// Waits until the checkpoint is final. `receipt` is that of this node's own transaction.
    async fn until_final(
        &self,
        submission: &Submission,
        receipt: Option<TransactionReceipt>,
    ) -> Result<SubmissionReceipt, AnchorError> {
        loop {
            match self.seen(submission).await? {
                CheckpointStatus::Final => {
                    return Ok(receipt
                        .map_or(SubmissionReceipt::AlreadyStored, |receipt| stored(submission, &receipt)));
                }
                CheckpointStatus::Unconfirmed => sleep(self.config.limits.poll_interval).await,
                CheckpointStatus::Absent => {
                    return Err(AnchorError::Unavailable("a reorganisation removed the checkpoint".into()));
                }
            }
        }
    }

    async fn seen(&self, submission: &Submission) -> Result<CheckpointStatus, AnchorError> {
        let (height, id) = (submission.checkpoint.height(), submission.checkpoint.id());
        let conflict = |stored| CheckpointRejection::Conflict { height, stored, submitted: id };
        let last_final = self.last_final().await?;
        match self.stored(height, last_final).await? {
            Some((stored, _)) if stored == id => return Ok(CheckpointStatus::Final),
            Some((stored, _)) => return Err(conflict(stored).into()),
            None => {}
        }
        match self.stored_now(height).await? {
            Some(stored) if stored == id => Ok(CheckpointStatus::Unconfirmed),
            // A reorganisation may still remove it, so the conflict is not final.
            Some(stored) => Err(AnchorError::Unavailable(conflict(stored).to_string())),
            None => Ok(CheckpointStatus::Absent),
        }
    }
}

/// The receipt of this node's transaction: it stored nothing when another one was first.
fn stored(submission: &Submission, receipt: &TransactionReceipt) -> SubmissionReceipt {
    let ours = |log: &alloy::rpc::types::Log| {
        sol::CheckpointAnchored::decode_log(&log.inner)
            .is_ok_and(|event| hash(event.id) == submission.checkpoint.id())
    };
    if !receipt.status() || !receipt.logs().iter().any(ours) {
        return SubmissionReceipt::AlreadyStored;
    }
    let block = receipt.block_number;
    let reference = block.map(|block| TransactionRef { transaction: hash(receipt.transaction_hash), block });
    SubmissionReceipt::Stored { reference, gas: Some(receipt.gas_used) }
}
